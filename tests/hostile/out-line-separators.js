// what: U+2028 and U+2029 are written as they are, three bytes each
// expect: completed
// output-bytes: 14
function main() { return { a: '\u2028\u2029' }; }
