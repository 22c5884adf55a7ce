// what: the host itself hashes for longer than the script may run; it cannot be interrupted, only killed
// options: --timeout 0.2 --memory 1024
// expect: failed timeout
function main() {
  const text = 'x'.repeat(2e8);
  for (;;) crypto.sha256(text);
}
