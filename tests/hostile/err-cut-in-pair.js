// what: the cut at 16,384 characters falls into a pair
// expect: failed execution_error
// error: Error: xx
function main() { throw new Error(`${'x'.repeat(16384 - 8)}${'😀'.repeat(100)}`); }
