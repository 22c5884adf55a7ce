// what: returns a result after the time is up
// options: --timeout 0.3
// expect: failed timeout
function main() {
  try { for (;;); } catch {} finally { return { swallowed: true }; }
}
