// what: every operation on a proxy of a proxy of … 100,000 deep
// expect: completed
// output: {"result":["RangeError"]}
function main() {
  let p = function () {}, list = [];
  for (let i = 0; i < 100000; i++) {
    p = new Proxy(p, {});
    list = new Proxy(list, {});
  }
  const attempts = [() => p.x, () => { 'use strict'; p.x = 1; }, () => 'x' in p, () => delete p.x, () => p(), () => new p(), () => Object.keys(p),
    () => Object.getPrototypeOf(p), () => Object.setPrototypeOf(p, null), () => Object.isExtensible(p), () => Object.freeze(p),
    () => Object.defineProperty(p, 'x', { value: 1 }), () => Object.getOwnPropertyDescriptor(p, 'x'), () => ({ ...p }), () => `${p}`,
    () => JSON.stringify(list), () => [].concat(list), () => Object.prototype.toString.call(list), () => ({}) instanceof p,
    () => Object.create(p).x, () => Reflect.construct(Array, [], p), () => class extends p {}, () => Array.from(list)];
  return [...new Set(attempts.map((attempt) => { try { return typeof attempt(); } catch (error) { return error.name; } }))];
}
