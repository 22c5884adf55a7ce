// what: a property nobody has, behind 100,000 prototypes; logged, too
// expect: completed
// output: {"result":"undefined"}
function main() {
  let o = {};
  for (let i = 0; i < 1e5; i++) o = Object.create(o);
  console.log(o);
  return typeof o.x;
}
