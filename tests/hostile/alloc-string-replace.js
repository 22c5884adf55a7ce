// what: ten times as long with each replacement
// options: --memory 32
// expect: failed out_of_memory|execution_error
function main() {
  let text = 'x';
  for (;;) text = text.replace(/x/g, 'xxxxxxxxxx');
}
