// what: the loop is in evaluated code, caught outside
// options: --timeout 0.3
// expect: failed timeout
function main() {
  try { eval('for(;;);'); } catch { return 'swallowed'; }
}
