// what: 65,535 arguments, recursively
// options: --memory 32
// expect: failed out_of_memory|execution_error
function main() {
  const list = new Array(65000).fill(1);
  const f = (...all) => f.apply(null, list) + all.length;
  return f();
}
