// what: a text that fits into memory, whose UTF-8 does not: no hash, or the right one
// options: --memory 16
// expect: completed|failed out_of_memory|execution_error
// output: {"empty":false}
function main() {
  return { empty: crypto.sha256('é'.repeat(5e6)) === crypto.sha256('') };
}
