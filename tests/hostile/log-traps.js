// what: logging a value runs none of its code
// expect: completed
// output: {"ran":[]}
// log: "[Getter] {} {} {} [Function: f] { x: [Getter/Setter] }"
function main() {
  const ran = [], note = (name) => () => { ran.push(name); throw name; };
  const handler = new Proxy({}, { get: (target, trap) => note(`trap ${trap}`) });
  const o = Object.defineProperties({}, {
    toString: { value: note('toString') }, valueOf: { value: note('valueOf') }, toJSON: { value: note('toJSON') },
    inspect: { value: note('inspect') }, [Symbol.toPrimitive]: { value: note('toPrimitive') }, [Symbol.iterator]: { get: note('iterator') },
    [Symbol.toStringTag]: { get: note('tag') }, constructor: { get: note('constructor') }, then: { get: note('then') },
  });
  function f() {}
  f.toString = note('function');
  Object.defineProperty(f, 'toString', { enumerable: false });
  console.log('%s %s %s', Object.getOwnPropertyDescriptor(o, 'then').get && '[Getter]', o, new Proxy({}, handler), new Proxy(o, handler), f,
    { get x() { return note('x')(); }, set x(value) { note('set')(); } });
  return { ran };
}
