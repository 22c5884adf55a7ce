// what: moves 2 ** 53 holes
// options: --timeout 0.3
// expect: failed timeout
function main() { return Array.prototype.unshift.call({ length: 2 ** 53 - 2 }, 1); }
