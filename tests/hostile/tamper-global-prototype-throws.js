// what: … or throws
// expect: failed script_error
// error: trap
const main = () => 1;
Object.setPrototypeOf(globalThis, new Proxy({}, { get() { throw new Error('trap'); } }));
