// what: a proxy whose keys, descriptors and values never agree
// expect: completed
// output: {"a":"a1","b":"b2"}
function main() {
  let asked = 0;
  return new Proxy({}, {
    ownKeys: () => ['b', 'a', 'hidden'].slice(0, 3),
    getOwnPropertyDescriptor: (target, key) => ({ value: key, enumerable: key !== 'hidden', configurable: true }),
    get: (target, key) => (key === 'toJSON' ? undefined : `${key}${key === 'a' ? 1 : 2}${asked++ > 9 ? '' : ''}`),
  });
}
