// what: a match whose way back is longer than memory
// options: --memory 32
// expect: failed out_of_memory
function main() { return /(?:a|b)*c/.test('ab'.repeat(3e6)); }
