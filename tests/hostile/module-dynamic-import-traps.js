// what: the name is an object whose toString loops
// options: --timeout 0.3
// expect: failed timeout
async function main() {
  try { await import({ toString() { for (;;); } }); } catch { return 'swallowed'; }
}
