// what: JSON forged and deleted; the output's keys are out of order, so it is parsed and written again
// expect: completed
// output: {"a":{"c":2,"d":3},"b":1}
JSON.stringify = () => '{"forged":1}';
JSON.parse = () => ({ forged: 2 });
function main() {
  const result = { b: 1, a: { d: 3, c: 2 } };
  delete globalThis.JSON;
  return result;
}
