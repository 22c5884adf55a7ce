// what: of 1,000 entries 100 are kept
// expect: completed
// logs: 100, dropped: 900
// log: "entry 0"
// log: "entry 1"
function main() { for (let i = 0; i < 1000; i++) console.log(`entry ${i}`); }
