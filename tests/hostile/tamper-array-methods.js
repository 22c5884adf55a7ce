// what: every method of Array and its prototype throws
// expect: completed
// output: {"a":[3,2,1],"b":1}
// log: "[ 1, 2, 3 ] { b: [ 'x' ] }"
for (const on of [Array, Array.prototype]) {
  for (const key of Reflect.ownKeys(on)) if (typeof on[key] === 'function') on[key] = () => { throw `Array ${String(key)}`; };
}
function main() {
  console.log([1, 2, 3], { b: ['x'] });
  return { b: 1, a: [3, 2, 1] };
}
