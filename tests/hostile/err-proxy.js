// what: throws a proxy whose traps throw
// expect: failed execution_error
function main() { throw new Proxy(new Error('x'), { get() { throw 1; }, getPrototypeOf() { throw 2; }, ownKeys() { throw 3; } }); }
