// what: 20,000 classes, each the next one's parent
// expect: failed execution_error
// error: RangeError
function main() {
  let C = class {};
  for (let i = 0; i < 20000; i++) C = class extends C {};
  return new C();
}
