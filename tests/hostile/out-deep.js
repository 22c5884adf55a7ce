// what: 5,000 levels
// expect: completed
// output-bytes: 30002
function main() {
  let o = {};
  for (let i = 0; i < 5000; i++) o = { a: o };
  return o;
}
