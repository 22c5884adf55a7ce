// what: getter, setter, toString, valueOf, toPrimitive, proxy trap, toJSON, comparator, reviver: every native that calls back
// expect: completed
// output: {"result":["RangeError"]}
function main() {
  const o = {
    get x() { return this.x; }, set y(v) { this.y = v; }, toString() { return `${this}`; },
    [Symbol.iterator]() { return [...this]; },
  };
  const p = new Proxy({}, { get: (t, k, receiver) => receiver[k], has: (t, k) => k in p, ownKeys: () => Reflect.ownKeys(p) });
  const number = { valueOf() { return +this; } }, primitive = { [Symbol.toPrimitive]() { return this + 1; } };
  const json = { toJSON() { return JSON.stringify(this); } };
  const compare = () => [1, 2].sort(compare), replace = () => 'x'.replace('x', replace);
  const revive = () => JSON.parse('[1]', revive), from = () => Array.from([1], from);
  class Species extends Array { static get [Symbol.species]() { return new Species(1, 2).map((x) => x); } }
  class Deep { constructor() { return new Deep(); } }
  const attempts = [() => o.x, () => { o.y = 1; }, () => `${o}`, () => [...o], () => p.x, () => 'x' in p, () => Object.keys(p),
    () => +number, () => primitive + 1, () => JSON.stringify(json), compare, replace, revive, from, () => new Species(1, 2).map((x) => x),
    () => new Deep(), () => Reflect.construct(Deep, [])];
  return [...new Set(attempts.map((attempt) => { try { return typeof attempt(); } catch (error) { return error.name; } }))];
}
