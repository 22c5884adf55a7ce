// what: bytes are counted, not characters
// expect: failed output_too_large
function main() { return 'é'.repeat(524288); }
