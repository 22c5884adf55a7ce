// what: a native that calls back, again and again
// options: --timeout 0.3
// expect: failed timeout
function main() {
  return [1, 2, 3].sort(() => { try { for (;;); } catch { return 1; } });
}
