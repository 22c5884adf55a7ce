// what: 100,000 lazy iterators, each drawing from the one before
// options: --timeout 5
// expect: failed execution_error
// error: RangeError
function main() {
  let iterator = [1].values();
  for (let i = 0; i < 1e5; i++) iterator = iterator.map((x) => x);
  return iterator.next().value;
}
