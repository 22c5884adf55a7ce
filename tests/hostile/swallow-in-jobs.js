// what: the interrupted job has others behind it
// options: --timeout 0.3
// expect: failed timeout
async function main() {
  const spin = async () => { for (;;); };
  for (;;) {
    try { await Promise.any([Promise.resolve().then(spin), Promise.resolve().then(spin)]); } catch {}
  }
}
