// what: accessors on Object.prototype under every name that the prelude and the host use
// expect: completed
// output: {"a":{"c":2,"d":3},"b":1}
// log: "{ b: 1 } Map(1) { 1 => 2 }"
for (const key of ['value', 'get', 'set', 'writable', 'enumerable', 'configurable', 'error', 'stack', 'line', 'column', 'describe', 'toOutput',
  'sortKeys', 'log', 'name', 'tag', 'kind', 'depth', 'left', 'open', 'items', 'keys', 'base', 'text', 'used', 'index', 'done', 'result']) {
  Object.defineProperty(Object.prototype, key, { __proto__: null, get() { throw `get ${key}`; }, set() { throw `set ${key}`; } });
}
function main() {
  console.log({ b: 1 }, new Map([[1, 2]]));
  return { b: 1, a: { d: 3, c: 2 } };
}
