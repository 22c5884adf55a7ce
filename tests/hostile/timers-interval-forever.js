// what: an interval that nobody clears, and a promise that nobody settles
// options: --timeout 0.3
// expect: failed timeout
function main() { setInterval(() => {}, 0); return new Promise(() => {}); }
