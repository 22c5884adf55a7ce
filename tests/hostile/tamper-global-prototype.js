// what: the global object inherits from a proxy whose traps never return; own functions are found before it
// options: --timeout 1
// expect: completed
// output: {"a":1,"b":2}
function main() { return { b: 2, a: 1 }; }
Object.setPrototypeOf(globalThis, new Proxy({}, { get() { for (;;); }, has() { for (;;); }, getOwnPropertyDescriptor() { for (;;); } }));
