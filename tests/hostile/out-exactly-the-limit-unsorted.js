// what: exactly the limit, by way of sorting the keys
// expect: completed
// output-bytes: 1048576
function main() { return { b: 'x'.repeat(1048576 - 14), a: 1 }; }
