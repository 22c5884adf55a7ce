// what: one byte more
// expect: failed output_too_large
function main() { return { a: 'x'.repeat(1048576 - 7) }; }
