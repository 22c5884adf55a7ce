// what: throws nothing at all
// expect: failed execution_error
// error: execution error: undefined
function main() { throw undefined; }
