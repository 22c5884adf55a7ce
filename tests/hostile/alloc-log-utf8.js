// what: the same for an entry of the log: it is cut, or memory is said to be short, but it is not lost
// options: --memory 16
// expect: completed|failed out_of_memory|execution_error
// output: {"logged":true}
function main() {
  console.log('é'.repeat(5e6));
  return { logged: true };
}
