// what: every method of String and its prototype throws (concat has a script of its own)
// expect: completed
// output: {"a":"é","b":1,"hash":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}
// log: "text 5 { s: \"it's\" }"
for (const on of [String, String.prototype]) {
  for (const key of Reflect.ownKeys(on)) if (typeof on[key] === 'function' && key !== 'concat') on[key] = () => { throw `String ${String(key)}`; };
}
function main() {
  console.log('%s %d', 'text', 5, { s: "it's" });
  return { b: 1, a: 'é', hash: crypto.sha256('abc') };
}
