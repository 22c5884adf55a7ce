// what: every property of every built-in becomes an accessor that throws, then every global is deleted (concat: see tamper-concat)
// options: --input {"z":1,"a":[2]}
// expect: completed
// output: {"a":[2],"hash":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","ran":"","z":1}
// log: "{ z: 1, a: [ 2 ] } [ 1, <1 empty item>, 3 ] [Function (anonymous)] Symbol(s)"
const { defineProperty, getOwnPropertyDescriptor } = Object, { ownKeys } = Reflect, text = String, { log } = console, { sha256 } = crypto;
const symbol = Symbol('s');
let ran = '';
const work = [], globals = ownKeys(globalThis);
for (const key of globals) {
  const made = getOwnPropertyDescriptor(globalThis, key).value;
  if (made === null || !/^(object|function)$/.test(typeof made)) continue;
  if (key === 'input' || key === 'secrets' || made === globalThis) continue;
  work.push([made, ownKeys(made)]);
  if (typeof made === 'function' && made.prototype) work.push([made.prototype, ownKeys(made.prototype)]);
}
const given = input;
for (let i = 0, w = work; i < w.length; i++) {
  const keys = w[i][1], victim = w[i][0];
  for (let j = 0; j < keys.length; j++) {
    const name = text(keys[j]);
    if (name !== 'concat') try { defineProperty(victim, keys[j], { __proto__: null, get() { ran += name; throw name; }, set() { ran += name; throw name; } }); } catch {}
  }
}
for (let i = 0; i < globals.length; i++) try { delete globalThis[globals[i]]; } catch {}
function main(input) {
  log(input, [1, , 3], main, symbol);
  return { z: input.z, a: input.a, hash: sha256('abc'), ran };
}
