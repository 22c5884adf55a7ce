// what: a text that fits into memory, whose UTF-8 does not: no hash, or the right one
// options: --memory 16
// expect: completed|failed out_of_memory|execution_error
// output: {"empty":false}
// bug: the SHA-256 of the empty text is returned, silently (src/engine/value.c, value_text; src/engine/host.c, host_sha256)
function main() {
  return { empty: crypto.sha256('é'.repeat(5e6)) === crypto.sha256('') };
}
