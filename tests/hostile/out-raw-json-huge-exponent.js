// what: an exponent nobody can hold
// expect: failed output_invalid
function main() { return { a: JSON.rawJSON('1e+999999999999999999999') }; }
