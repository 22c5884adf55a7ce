// what: … or throws
// expect: failed script_error
// error: Error: asked
Object.defineProperty(globalThis, 'main', { get() { throw new Error('asked'); } });
