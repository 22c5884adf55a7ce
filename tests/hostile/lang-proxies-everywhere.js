// what: natives given proxies whose traps answer at random
// expect: completed
// output: {"done":true}
function main() {
  let seed = 1;
  const random = (n) => { seed = (seed * 48271) % 2147483647; return seed % n; };
  const answers = [undefined, null, true, 0, -1, 20, '', 'length', Symbol(), {}, [], () => {}, [1, 1], { value: 1 }, { get() {} }, { configurable: false }];
  const make = () => new Proxy([() => {}, [], {}][random(3)], new Proxy({}, { get: () => () => answers[random(answers.length)] }));
  const holders = [Object, Reflect, Array.prototype, String.prototype, RegExp.prototype, Map.prototype, Promise, Array, Date.prototype, JSON, Math, Symbol,
    Object.prototype, Function.prototype, Iterator.prototype, Set.prototype, ArrayBuffer.prototype, Uint8Array.prototype, URL, crypto, console, Number, Error];
  for (const on of holders) {
    for (const key of Reflect.ownKeys(on)) {
      for (let i = 0; i < 4; i++) try { Reflect.apply(on[key], make(), [make(), make(), make()]); } catch {}
    }
  }
  return { done: true };
}
