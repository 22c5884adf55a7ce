// what: handles the overflow by recursing further
// options: --timeout 0.5
// expect: completed|failed timeout|execution_error
function main() {
  const deeper = () => { try { return deeper(); } catch { try { return deeper(); } catch { return 0; } } };
  return deeper();
}
