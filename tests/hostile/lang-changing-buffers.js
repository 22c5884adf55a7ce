// what: natives whose buffer is resized or detached under them
// expect: completed
// output: {"done":true}
function main() {
  const methods = ['copyWithin', 'fill', 'includes', 'indexOf', 'join', 'lastIndexOf', 'set', 'slice', 'subarray', 'with', 'at'];
  for (const gone of [(b) => b.resize(0), (b) => b.resize(3), (b) => b.transfer(), (b) => b.transferToFixedLength(1)]) {
    for (const name of [...methods, 'sort', 'map', 'filter', 'setFloat64', 'getFloat64']) {
      for (let i = 0; i < 3; i++) {
        const buffer = new ArrayBuffer(4096, { maxByteLength: 8192 }), view = name.endsWith('64') ? new DataView(buffer) : new Uint8Array(buffer);
        const value = () => { if (!buffer.detached) gone(buffer); return 900; }, list = [500, 500, 500];
        list[i] = { valueOf: value, toString: value };
        try { view[name](...(/sort|map|filter/.test(name) ? [value] : list)); } catch {}
      }
    }
  }
  return { done: true };
}
