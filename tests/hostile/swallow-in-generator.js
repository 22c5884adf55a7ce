// what: a generator that never lets itself be closed
// options: --timeout 0.3
// expect: failed timeout
function main() {
  function* stubborn() { for (;;) try { yield; } catch {} finally { for (;;) try { yield; } finally { continue; } } }
  for (const each of stubborn()) try { for (;;); } catch {}
}
