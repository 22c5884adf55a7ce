// what: two texts for one number: the canonical one is 0.1
// expect: completed|failed output_invalid
// output: {"a":0.1}
function main() { return { a: JSON.rawJSON('0.10000000000000001') }; }
