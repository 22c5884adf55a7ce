// what: 300,000 promises, each waiting for the last of them
// options: --memory 32
// expect: failed out_of_memory
function main() {
  let last = Promise.resolve();
  for (let i = 0; i < 300000; i++) last = last.then(() => last);
  return last;
}
