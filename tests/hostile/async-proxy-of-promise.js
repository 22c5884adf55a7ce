// what: nor is there one behind a proxy
// expect: failed execution_error
// error: TypeError
function main() { return new Proxy(Promise.resolve(5), {}); }
