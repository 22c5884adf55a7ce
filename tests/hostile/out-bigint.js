// what: JSON has no BigInt
// expect: failed output_invalid
// error: TypeError
function main() { return { n: 1n }; }
