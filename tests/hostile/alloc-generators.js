// what: suspended generators, each inside the next
// options: --memory 32
// expect: failed out_of_memory
// bug: with memory full the engine throws null: reported as execution_error "null" (src/engine/engine.c, fail)
function main() {
  for (let last = null; ;) {
    const inner = last;
    last = (function* () { yield inner; })();
    last.next();
  }
}
