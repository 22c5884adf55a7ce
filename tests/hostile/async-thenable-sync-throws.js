// what: … or throw
// expect: failed execution_error
// error: Error: called
function main() { return { x: 1, then() { throw new Error('called'); } }; }
