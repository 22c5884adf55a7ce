// what: swaps 2 ** 52 pairs of nothing
// options: --timeout 0.3
// expect: failed timeout
function main() { return Array.prototype.reverse.call({ length: 2 ** 53 - 1 }); }
