// what: a then that is there each second time it is looked for
// expect: completed|failed output_invalid|execution_error|unsettled
// output: {"result":5}
function main() {
  let asked = 0;
  return { get then() { return asked++ % 2 ? undefined : (resolve) => resolve(5); } };
}
