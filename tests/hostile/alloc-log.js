// what: an entry as large as memory
// options: --memory 32
// expect: completed|failed out_of_memory
function main() {
  console.log('\u1234'.repeat(8e6));
  return {};
}
