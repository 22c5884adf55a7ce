// what: the step limit is no rejection
// options: --steps 1000000
// expect: failed out_of_steps
async function main() {
  try { await new Promise(() => { for (;;); }); } catch {}
  return 'swallowed';
}
