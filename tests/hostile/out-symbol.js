// what: a symbol is no output
// expect: failed output_invalid
// error: cannot be written as JSON
function main() { return Symbol('x'); }
