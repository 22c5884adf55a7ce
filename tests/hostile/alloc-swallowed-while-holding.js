// what: catches without letting go; what follows must be a clean failure
// options: --memory 16 --timeout 5
// expect: failed out_of_memory
const all = [];
let chain;
function main() {
  for (let i = 0; i < 10; i++) {
    try { for (;;) all.push({}); } catch {}
    try { for (;;) chain = { chain }; } catch {} // what a larger array did not fit into
  }
  return { kept: all.length };
}
