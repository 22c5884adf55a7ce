// what: an accessor of the output throws
// expect: failed output_invalid
// error: Error: no
function main() { return { a: 1, get b() { throw new Error('no'); } }; }
