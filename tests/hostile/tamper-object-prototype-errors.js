// what: the same while an error is described
// expect: failed execution_error
// error: execution error: TypeError: mine
for (const key of ['value', 'get', 'set', 'error', 'line', 'column', 'text', 'name', 'message', 'stack']) {
  Object.defineProperty(Object.prototype, key, { __proto__: null, get() { return `forged ${key}`; }, set() { throw key; } });
}
function main() { throw new TypeError('mine'); }
