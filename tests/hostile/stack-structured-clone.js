// what: clones objects nested 100,000 deep
// options: --timeout 5
// expect: failed execution_error|timeout
function main() {
  let value = {};
  for (let i = 0; i < 1e5; i++) value = { value };
  return typeof structuredClone(value);
}
