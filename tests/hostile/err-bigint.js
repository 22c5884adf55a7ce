// what: throws a number of 300,000 digits
// options: --timeout 10
// expect: failed execution_error
// error: execution error: 100000
function main() { throw 10n ** 30000n; }
