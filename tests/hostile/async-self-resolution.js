// what: a promise resolved with itself
// expect: failed execution_error
// error: TypeError
function main() {
  let resolve;
  const promise = new Promise((r) => { resolve = r; });
  queueMicrotask(() => resolve(promise));
  return promise;
}
