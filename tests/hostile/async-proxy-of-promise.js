// what: nor is a proxy of a promise one
// expect: completed
// output: {}
function main() { return new Proxy(Promise.resolve(5), {}); }
