// what: … logged, thrown
// expect: failed execution_error
// log: "<Revoked Proxy>"
function main() {
  let p = {};
  for (let i = 0; i < 50000; i++) p = new Proxy(p, {});
  console.log(p);
  throw p;
}
