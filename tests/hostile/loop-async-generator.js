// what: for await over a source without end
// options: --timeout 0.3
// expect: failed timeout
async function main() {
  async function* source() { for (;;) yield 1; }
  for await (const each of source());
}
