// what: toJSON returns what JSON cannot write
// expect: failed output_invalid
// error: TypeError
function main() { return { toJSON: () => () => 1 }; }
