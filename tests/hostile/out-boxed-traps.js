// what: JSON asks boxed primitives for their value: the script may answer what it likes
// expect: completed
// output: {"n":5,"s":"forged"}
function main() {
  return { n: Object.assign(new Number(1), { valueOf: () => 5 }), s: Object.assign(new String('x'), { toString: () => 'forged' }) };
}
