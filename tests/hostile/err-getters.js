// what: name, message and stack are accessors that throw
// expect: failed execution_error
function main() {
  throw Object.defineProperties(new Error('x'), { name: { get() { throw 1; } }, message: { get() { throw 2; } }, stack: { get() { throw 3; } } });
}
