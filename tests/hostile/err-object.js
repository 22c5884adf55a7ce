// what: throws what is no error
// expect: failed execution_error
// error: execution error: { code: 5 }
function main() { throw { code: 5 }; }
