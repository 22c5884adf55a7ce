// what: concat counts through a spreadable look-alike
// options: --timeout 0.3
// expect: failed timeout
function main() { return [].concat({ length: 2 ** 53 - 1, [Symbol.isConcatSpreadable]: true }); }
