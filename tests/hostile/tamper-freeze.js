// what: everything is frozen, the global object first
// expect: completed
// output: {"a":1,"b":2}
// log: "{ b: 2, a: 1 }"
for (const key of Reflect.ownKeys(globalThis)) {
  const value = globalThis[key];
  if (typeof value === 'function' && value.prototype) Object.freeze(value.prototype);
  if (value !== globalThis && Object(value) === value) Object.freeze(value);
}
function main() {
  Object.freeze(globalThis);
  console.log({ b: 2, a: 1 });
  return { b: 2, a: 1 };
}
