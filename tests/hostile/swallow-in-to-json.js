// what: the loop is in toJSON, of an object inside a proxy
// options: --timeout 0.3
// expect: failed timeout
function main() {
  return new Proxy({}, { get: (target, key) => (key === 'toJSON' ? () => { for (;;); } : undefined) });
}
