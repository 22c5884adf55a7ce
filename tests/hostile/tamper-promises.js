// what: promises without then, with a forged one, of a forged constructor; awaiting uses neither
// expect: completed
// output: {"a":1,"b":2}
const { defineProperty } = Object;
for (const key of ['then', 'catch', 'finally']) Promise.prototype[key] = () => { throw key; };
for (const key of ['resolve', 'reject', 'all', 'race']) Promise[key] = () => { throw key; };
globalThis.Promise = undefined;
async function main() {
  const one = await 1;
  return { b: 2, a: one };
}
