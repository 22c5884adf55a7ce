// what: 60,000 variables in one scope keep the parser, which polls nothing, busy for seconds
// options: --timeout 0.3
// expect: failed timeout
function main() { return Function(`let ${Array.from({ length: 60000 }, (_, i) => `a${i}`)};`).length; }
