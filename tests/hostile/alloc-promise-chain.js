// what: 300,000 promises, each waiting for the last of them
// options: --memory 32
// expect: failed out_of_memory
// bug: no room is left to describe the error in: execution_error without a text (src/engine/engine.c, fail)
function main() {
  let last = Promise.resolve();
  for (let i = 0; i < 300000; i++) last = last.then(() => last);
  return last;
}
