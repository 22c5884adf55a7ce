// what: Error.prototype lies; names and messages of errors are what the script made them
// expect: failed execution_error
// error: Forged: forged
Object.defineProperties(Error.prototype, { name: { get: () => 'Forged' }, message: { get: () => 'forged' }, stack: { get() { throw 1; } }, toString: { value() { throw 2; } } });
function main() {
  console.log(new Error('x'));
  throw new Error();
}
