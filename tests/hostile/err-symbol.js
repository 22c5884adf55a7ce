// what: throws a symbol, which cannot be made a string by asking
// expect: failed execution_error
// error: execution error: Symbol(x)
function main() { throw Symbol('x'); }
