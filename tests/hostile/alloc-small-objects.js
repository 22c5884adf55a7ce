// what: so many small objects that no room is left to describe the error in
// options: --memory 16
// expect: failed out_of_memory
const all = [];
function main() { for (;;) all.push({ x: 1 }); }
