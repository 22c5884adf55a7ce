// what: suspended generators, each inside the next
// options: --memory 32
// expect: failed out_of_memory
function main() {
  for (let last = null; ;) {
    const inner = last;
    last = (function* () { yield inner; })();
    last.next();
  }
}
