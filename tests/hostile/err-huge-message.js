// what: a message of 10 MB is cut
// expect: failed execution_error
// error: Error: xxxxxxxxxxxxxxxx
function main() { throw new Error('x'.repeat(1e7)); }
