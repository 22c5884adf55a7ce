// what: weak entries whose keys are kept alive
// options: --memory 32
// expect: failed out_of_memory
function main() {
  const weak = new WeakMap();
  for (let last = {}; ;) {
    const key = { last };
    weak.set(key, last);
    last = key;
  }
}
