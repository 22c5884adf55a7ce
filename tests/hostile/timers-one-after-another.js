// what: half a million timers one after another, in the memory of one
// options: --timeout 60 --memory 16 --deterministic
// expect: completed
// output: {"result":500000}
function main() {
  let n = 0;
  return new Promise((done) => { const next = () => { if (n++ === 500000) done(500000); else setTimeout(next, 1); }; next(); });
}
