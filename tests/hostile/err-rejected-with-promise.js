// what: rejected with a promise that never settles
// expect: failed execution_error
// error: Promise { <pending> }
function main() { return Promise.reject(new Promise(() => {})); }
