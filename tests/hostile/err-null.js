// what: throws null
// expect: failed execution_error
// error: execution error: null
function main() { throw null; }
