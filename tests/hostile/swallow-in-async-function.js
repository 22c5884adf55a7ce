// what: awaits a loop, catches what comes of it
// options: --timeout 0.3
// expect: failed timeout
async function main() {
  try { await (async () => { await 0; for (;;); })(); } catch { return 'swallowed'; }
  return 'swallowed';
}
