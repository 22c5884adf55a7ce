// what: half of a pair cannot be written as UTF-8
// expect: failed output_invalid
// error: lone surrogate
function main() { return { a: 'x\ud800y' }; }
