// what: begins anew after each interruption
// options: --timeout 0.3
// expect: failed timeout
function main() {
  for (;;) {
    try { for (;;); } catch { continue; } finally { continue; }
  }
}
