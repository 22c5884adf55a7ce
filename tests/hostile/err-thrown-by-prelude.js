// what: built-ins given nonsense fail like built-ins
// expect: completed
// output: {"result":["TypeError","TypeMismatchError","TypeMismatchError","RangeError","TypeError","QuotaExceededError","TypeError","DataCloneError","RangeError","InvalidCharacterError"]}
function main() {
  const attempts = [() => crypto.sha256({ toString: 1, valueOf: 1 }), () => crypto.getRandomValues({}), () => crypto.getRandomValues(new Proxy(new Uint8Array(1), {})),
    () => crypto.randomBytes(1e9), () => crypto.randomBytes(Symbol()), () => crypto.getRandomValues(new Uint8Array(65537)), () => new URL('http://\0/'),
    () => structuredClone(() => {}), () => new TextDecoder('no such'), () => btoa('€')];
  return attempts.map((attempt) => { try { return typeof attempt(); } catch (error) { return error.name; } });
}
