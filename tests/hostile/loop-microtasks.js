// what: a job queue that never empties, while the result waits for it
// options: --timeout 0.3
// expect: failed timeout
function main() {
  const again = () => queueMicrotask(again);
  again();
  return new Promise(() => {});
}
