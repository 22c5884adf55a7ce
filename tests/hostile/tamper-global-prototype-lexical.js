// what: a lexical entry point is looked for on the global object first: there the proxy loops
// options: --timeout 0.3
// expect: failed timeout
const main = () => 1;
Object.setPrototypeOf(globalThis, new Proxy({}, { get() { for (;;); }, has() { for (;;); } }));
