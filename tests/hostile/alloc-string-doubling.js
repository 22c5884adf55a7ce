// what: a string twice as long each time
// options: --memory 32
// expect: failed out_of_memory|execution_error
function main() {
  let text = 'ab';
  for (;;) text = (text + text).toUpperCase();
}
