// what: an array that holds itself, as text
// expect: failed execution_error
// error: RangeError
function main() {
  const a = [];
  a.push(a);
  return `${a}`;
}
