// what: minus zero has no canonical sign
// expect: completed|failed output_invalid
// output: {"a":0}
function main() { return { a: JSON.rawJSON('-0') }; }
