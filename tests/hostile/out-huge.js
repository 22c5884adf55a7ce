// what: an output of 16 MB, its keys out of order
// expect: failed output_too_large
function main() { return { b: 'x'.repeat(16e6), a: 1 }; }
