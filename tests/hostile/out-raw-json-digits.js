// what: two texts for one number: the canonical one is 0.1
// expect: completed|failed output_invalid
// output: {"a":0.1}
// bug: accepted as it is (src/base/json.c, canonical_number checks the shape only)
function main() { return { a: JSON.rawJSON('0.10000000000000001') }; }
