// what: each NUL takes six bytes
// expect: failed output_too_large
function main() { return '\0'.repeat(200000); }
