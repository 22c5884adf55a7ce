// what: a symbol is no output
// expect: failed output_invalid
// error: TypeError: a symbol cannot be written as JSON
function main() { return Symbol('x'); }
