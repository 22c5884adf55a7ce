// what: yield* through 100,000 generators
// expect: failed execution_error
// error: RangeError
function main() {
  let source = [1];
  for (let i = 0; i < 1e5; i++) {
    const inner = source;
    source = (function* () { yield* inner; })();
  }
  return source.next().value;
}
