// what: single requests beyond any limit fail as the language says, and the script may go on
// expect: completed
// output: {"result":["RangeError","InternalError","RangeError","RangeError","RangeError","InternalError"]}
function main() {
  const attempts = [
    () => new ArrayBuffer(2 ** 53), () => new ArrayBuffer(2 ** 30), () => new Uint8Array(2 ** 40), () => new Array(-1),
    () => 'x'.repeat(2 ** 40), () => new SharedArrayBuffer(2 ** 30),
  ];
  return attempts.map((attempt) => { try { attempt(); return 'made'; } catch (error) { return error.name; } });
}
