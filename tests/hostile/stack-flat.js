// what: an array that holds itself, flattened for ever
// expect: failed execution_error
// error: RangeError
function main() {
  const a = [];
  a.push(a);
  return a.flat(Infinity);
}
