// what: the entry point is an accessor, asked once
// expect: completed
// output: {"asked":1}
let asked = 0;
Object.defineProperty(globalThis, 'main', { get() { asked++; return () => ({ asked }); } });
