// what: call, apply, bind and instanceof are gone
// expect: completed
// output: {"a":1,"b":2,"id":36}
// log: "1 [Function: main]"
const { defineProperty } = Object;
for (const key of ['call', 'apply', 'bind', 'toString', 'constructor', 'length', 'name', 'prototype', Symbol.hasInstance]) {
  try { defineProperty(Function.prototype, key, { get() { throw String(key); } }); } catch {}
}
function main() {
  console.log(1, main);
  return { b: 2, a: 1, id: crypto.randomUUID().length };
}
