// what: revoked proxies, alone and inside
// expect: completed
// log: "<Revoked Proxy>"
// log: "{ a: <Revoked Proxy> } [ <Revoked Proxy> ] <Revoked Proxy>"
function main() {
  const { proxy, revoke } = Proxy.revocable(function () {}, {});
  revoke();
  console.log(proxy);
  console.log({ a: proxy }, [proxy], new Proxy(proxy, {}));
}
