// what: what one execution pollutes the next does not see, 300 times in one worker
// options: --repeat 300
// expect: completed
// output: {"fresh":true}
if (globalThis.leak || Object.prototype.leak || Array.prototype[0] || JSON.stringify.leak || Symbol.for('leak').description !== 'leak') throw new Error('leak');
globalThis.leak = Object.prototype.leak = Array.prototype[0] = JSON.stringify.leak = true;
Object.setPrototypeOf(Array.prototype, null);
const held = [];
function main() {
  delete Object.prototype.leak;
  delete Array.prototype[0];
  for (let i = 0; i < 100; i++) held.push(new ArrayBuffer(10000));
  new Promise(() => {}).then(main);
  queueMicrotask(() => { throw 'left over'; });
  return { fresh: true };
}
