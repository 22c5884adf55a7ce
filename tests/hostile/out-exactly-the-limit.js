// what: an output of exactly 1,048,576 bytes
// expect: completed
// output-bytes: 1048576
function main() { return { a: 'x'.repeat(1048576 - 8) }; }
