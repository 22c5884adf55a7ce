// what: a function is no output
// expect: failed output_invalid
// error: TypeError: a function cannot be written as JSON
function main() { return main; }
