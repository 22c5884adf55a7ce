// what: keeps the prelude's own code (URL and its parameters) busy with quadratic work
// options: --timeout 0.3
// expect: failed timeout
function main() {
  const url = new URL('http://a/');
  for (;;) url.searchParams.append('key', 'value');
}
