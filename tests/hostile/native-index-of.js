// what: a native loop over a huge sparse length, which no in-process peer could stop
// options: --timeout 0.3
// expect: failed timeout
function main() { return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1); }
