// what: 5,000 levels whose keys are out of order: order must not decide what is too deep
// expect: completed
// output-bytes: 60002
function main() {
  let o = {};
  for (let i = 0; i < 5000; i++) o = { b: o, a: 1 };
  return o;
}
