// what: reserves little, then grows
// options: --memory 32
// expect: completed
// output: {"result":"refused"}
function main() {
  try {
    const buffer = new ArrayBuffer(8, { maxByteLength: 2 ** 30 });
    buffer.resize(2 ** 29);
    return buffer.byteLength;
  } catch { return 'refused'; }
}
