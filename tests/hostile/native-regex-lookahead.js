// what: the same inside a lookahead
// options: --timeout 0.3
// expect: failed timeout
function main() { return /(?=(?:x+x+)+y)x/u.test('x'.repeat(40)); }
