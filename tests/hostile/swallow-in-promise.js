// what: an interruption must not become a rejection that can be handled
// options: --timeout 0.3
// expect: failed timeout
function main() {
  return new Promise(() => { for (;;); }).catch(() => 'swallowed').finally(() => { for (;;); });
}
