// what: catches the interruption, then goes on in finally
// options: --timeout 0.3
// expect: failed timeout
function main() {
  try { for (;;); } catch { return 'swallowed'; } finally { for (;;); }
}
