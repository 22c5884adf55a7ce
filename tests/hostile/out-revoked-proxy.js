// what: a revoked proxy as the result
// expect: failed output_invalid
// error: TypeError
function main() {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
