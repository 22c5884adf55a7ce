// what: rings inside rings
// expect: completed
// log: "<ref *1> {\n  a: [ [Circular *1] ],\n  b: <ref *2> Map(1) { [Circular *2] => [Circular *1] }\n}"
function main() {
  const o = { a: [] }, m = new Map();
  o.a.push(o);
  o.b = m.set(m, o);
  console.log(o);
}
