// what: a promise that waits for a promise that waits for a promise
// options: --timeout 0.5 --memory 64
// expect: failed timeout|out_of_memory
function main() {
  const next = () => Promise.resolve().then(next);
  return next();
}
