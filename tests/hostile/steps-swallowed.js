// what: the step limit cannot be caught
// options: --steps 1000000
// expect: failed out_of_steps
function main() {
  for (;;) {
    try { for (;;); } catch { return 'swallowed'; } finally { for (;;); }
  }
}
