// what: console is replaced, its methods are called on nothing, its properties are frozen
// expect: completed
// output: {"name":"log"}
// log: "still here"
// log: "undefined"
const { log } = console;
console.log = () => { throw 'forged'; };
Object.freeze(console);
delete globalThis.console;
function main() {
  Reflect.apply(log, null, ['still here']);
  Reflect.apply(log, new Proxy({}, { get() { throw 1; } }), [undefined]);
  try { new log('constructed'); } catch {}
  return { name: log.name };
}
