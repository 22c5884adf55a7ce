// what: URL and its parameters, their methods replaced after a first use
// expect: completed
// output: {"href":"http://a/?x=1&y=2"}
const url = new URL('http://a/?x=1'), params = url.searchParams, { append } = URLSearchParams.prototype;
for (const on of [URL.prototype, URLSearchParams.prototype, WeakMap.prototype]) {
  for (const key of Reflect.ownKeys(on)) if (key !== 'href') try { Object.defineProperty(on, key, { get() { throw key; } }); } catch {}
}
function main() {
  append.call(params, 'y', '2');
  return { href: url.href };
}
