// what: throws a revoked proxy
// expect: failed execution_error
// error: <Revoked Proxy>
function main() {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  throw proxy;
}
