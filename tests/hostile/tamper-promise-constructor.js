// what: awaiting a promise asks for its constructor, which throws: the script's own harm
// expect: failed execution_error
// error: constructor
Object.defineProperty(Promise.prototype, 'constructor', { get() { throw 'constructor'; } });
async function main() { return await Promise.resolve(1); }
