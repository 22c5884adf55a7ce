// what: the text's toString gives the target's memory back before it is written to
// expect: completed
// output: {"overwritten":false}
function main() {
  const target = new Uint8Array(1e5);
  let other;
  const text = { toString() { target.buffer.transfer(0); other = new Uint8Array(1e5); return 'aaaa'; } };
  try { new TextEncoder().encodeInto(text, target); } catch {}
  return { overwritten: other.some((byte) => byte !== 0) };
}
