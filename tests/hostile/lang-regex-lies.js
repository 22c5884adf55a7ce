// what: regular expressions whose exec, flags, lastIndex and groups lie to the natives
// options: --memory 64
// expect: completed
// output: {"done":true}
function main() {
  const lies = [{ index: 2 ** 53 - 1, length: 1, 0: 'x' }, { index: -1e9, length: 1, 0: '' }, { index: 0, length: 3, 0: 'x'.repeat(100), 1: {}, 2: null },
    { index: NaN, length: -5 }, { index: 1, length: 1, 0: 'a', groups: new Proxy({}, { get: () => '$<a>' }) }];
  for (const lie of lies) {
    for (const method of [Symbol.replace, Symbol.match, Symbol.matchAll, Symbol.search, Symbol.split]) {
      let n = 0;
      const regex = Object.defineProperty(/a/gy, 'flags', { value: 'gy' });
      regex.exec = () => (n++ < 5 ? lie : null);
      try { String(regex[method]('aaa', '$0$1$<a>$&$`')); } catch {}
      regex.lastIndex = 2 ** 53;
      try { regex[method]('aaa', 'b'); } catch {}
    }
  }
  return { done: true };
}
