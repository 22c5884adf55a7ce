// what: a pattern that compiles to far more than its text
// options: --memory 32
// expect: failed out_of_memory
function main() { return new RegExp('[\\p{L}]'.repeat(1e5), 'iu').source.length; }
