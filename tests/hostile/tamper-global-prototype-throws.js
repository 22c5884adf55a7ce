// what: … or throws: a top-level const is found all the same
// expect: completed
// output: {"result":1}
const main = () => 1;
Object.setPrototypeOf(globalThis, new Proxy({}, { get() { throw new Error('trap'); } }));
