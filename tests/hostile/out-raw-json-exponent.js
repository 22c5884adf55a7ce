// what: a number that is infinite to every reader
// expect: failed output_invalid
// bug: accepted as it is (src/base/json.c, canonical_exponent)
function main() { return { a: JSON.rawJSON('1.9e+308') }; }
