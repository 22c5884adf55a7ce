// what: lives at the memory limit
// options: --memory 32 --timeout 0.5
// expect: failed timeout
function main() {
  for (;;) {
    try { for (const all = []; ;) all.push(new Array(1000).fill(1)); } catch {}
  }
}
