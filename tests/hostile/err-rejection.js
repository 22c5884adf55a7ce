// what: the returned promise is rejected with a hostile value
// expect: failed execution_error
// error: execution error: undefined
function main() { return Promise.reject(); }
