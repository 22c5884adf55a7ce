// what: 2 ** 53 + 1 is no double
// expect: completed|failed output_invalid
// output: {"a":9007199254740992}
function main() { return { a: JSON.rawJSON('9007199254740993') }; }
