// what: normalization to eighteen times the length
// options: --memory 64
// expect: failed out_of_memory
function main() { return '\ufdfa'.repeat(1e6).normalize('NFKD').length; }
