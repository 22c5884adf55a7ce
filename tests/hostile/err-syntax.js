// what: is no JavaScript
// expect: failed syntax_error
// error: SyntaxError
function main( { return 1; }
