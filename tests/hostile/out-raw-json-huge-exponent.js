// what: an exponent nobody can hold
// expect: completed
// output: {"a":null}
function main() { return { a: JSON.rawJSON('1e+999999999999999999999') }; }
