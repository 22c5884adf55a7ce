// what: the loop's end calls return(), which does not
// options: --timeout 0.3
// expect: failed timeout
function main() {
  const endless = { [Symbol.iterator]: () => ({ next: () => ({}), return() { for (;;); } }) };
  try { for (const each of endless) for (;;); } catch {}
  for (const each of endless) break;
}
