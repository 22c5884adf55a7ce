// what: a string escaped another way
// expect: completed|failed output_invalid
// output: {"a":"A/"}
function main() { return { a: JSON.rawJSON('"\\u0041\\/"') }; }
