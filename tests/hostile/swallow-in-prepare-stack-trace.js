// what: every error that is made runs a loop
// options: --timeout 0.3
// expect: failed timeout
Error.prepareStackTrace = () => { for (;;); };
function main() {
  try { null.x; } catch { return 'swallowed'; }
}
