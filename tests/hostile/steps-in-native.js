// what: natives count their steps, too
// options: --steps 1000000
// expect: failed out_of_steps
function main() { return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1); }
