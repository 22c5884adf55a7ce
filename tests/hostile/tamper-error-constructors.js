// what: the prelude throws its own errors although all constructors are gone
// expect: completed
// output: {"result":["the real TypeError","crypto.randomBytes: size must be 1 to 1024"]}
const real = TypeError.prototype;
for (const name of ['Error', 'TypeError', 'RangeError', 'DOMException', 'SyntaxError']) globalThis[name] = function () { throw 'forged'; };
function main() {
  const texts = [];
  try { crypto.randomBytes(Symbol()); } catch (error) { texts.push(Object.getPrototypeOf(error) === real ? 'the real TypeError' : 'forged'); }
  try { crypto.randomBytes(0); } catch (error) { texts.push(error.message); }
  return texts;
}
