// what: nor can it in a key
// expect: failed output_invalid
// error: lone surrogate
function main() { return { a: 1, ['\udfff']: 2 }; }
