// what: shared buffers hold bytes like others; there is nobody to share them with and nothing to wait on
// expect: completed
// output: {"atomics":"undefined","bytes":[1,0,0,0]}
function main() {
  const shared = new SharedArrayBuffer(4);
  new Int32Array(shared)[0] = 1;
  crypto.getRandomValues(new Uint8Array(new SharedArrayBuffer(4)));
  return { atomics: typeof Atomics, bytes: Array.from(new Uint8Array(shared)) };
}
