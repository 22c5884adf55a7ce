// what: toJSON throws a primitive
// expect: failed output_invalid
// error: stop
function main() { return { toJSON() { throw 'stop'; } }; }
