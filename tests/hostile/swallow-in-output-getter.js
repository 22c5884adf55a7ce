// what: the loop is in a getter of the output
// options: --timeout 0.3
// expect: failed timeout
function main() {
  return { a: 1, get b() { try { for (;;); } catch { return 2; } finally { return 3; } } };
}
