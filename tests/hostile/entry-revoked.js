// what: a revoked proxy of a function is still callable, and fails
// expect: failed execution_error
// error: TypeError
const { proxy: main, revoke } = Proxy.revocable(() => {}, {});
revoke();
