// what: long chains of every kind of object, dropped at once
// options: --timeout 10
// expect: completed
// output: {"done":true}
function main() {
  const n = 50000;
  const links = [(a) => ({ a }), (a) => [a], (a) => () => a, (a) => new Proxy({ a }, {}), (a) => new Map([[1, a]]), (a) => Object.create({ a }),
    (a) => new WeakRef({ a }), (a) => ({ get a() { return a; } }), (a) => new Error('x', { cause: a }), (a) => (function* () { yield a; })(),
    (a) => (async () => { await new Promise(() => {}); return a; })(), (a) => Promise.resolve().then(() => a)];
  for (const link of links) {
    let chain = null;
    for (let i = 0; i < n; i++) chain = link(chain);
  }
  return { done: true };
}
