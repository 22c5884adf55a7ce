// what: a proxy may not list a key twice; if one could, the output must not
// expect: completed|failed output_invalid
// output: {"a":1,"b":1}
function main() {
  return new Proxy({}, {
    ownKeys: () => ['b', 'a', 'a', 'b', 'a'],
    getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }),
    get: (target, key) => (key === 'toJSON' ? undefined : 1),
  });
}
