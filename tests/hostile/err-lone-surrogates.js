// what: half of a pair becomes U+FFFD
// expect: failed execution_error
// error: Error: a�b
function main() { throw new Error('a\ud800b'); }
