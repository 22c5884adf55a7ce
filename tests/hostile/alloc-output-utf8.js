// what: the same for the output
// options: --memory 128
// expect: failed output_too_large|out_of_memory
function main() { return '\u1234'.repeat(1.6e7); }
