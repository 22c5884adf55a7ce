// The prelude's inspect and format against util.inspect and util.format, on one corpus of expressions that is evaluated in Node,
// in a realm that is tampered with afterwards, and (if npm ci has run) in QuickJS-NG.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import util from 'node:util';
import vm from 'node:vm';

const root = new URL('../', import.meta.url);
const source = (name) => readFileSync(new URL(`src/engine/prelude/${name}.js`, root), 'utf8');
const prelude = `'use strict';${source('primordials')}${source('inspect')}return { inspect, format };`;

// Gives a realm proxy(), revoked() and promise(), and returns {inspect, format} of a prelude evaluated in it. Its `host` knows
// the proxies and promises that were made with these. `format` takes an array.
const setup = `(() => {
  const uncurry = (method) => Function.prototype.call.bind(method), get = uncurry(WeakMap.prototype.get);
  const { setPrototypeOf } = Object;
  const targets = new WeakMap(), settled = new WeakMap();
  globalThis.proxy = (target, handler = {}) => {
    const made = new Proxy(target, handler);
    targets.set(made, target);
    return made;
  };
  globalThis.revoked = () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    targets.set(proxy, null);
    return proxy;
  };
  globalThis.promise = (state, result) => {
    const made = new Promise((resolve, reject) => [() => {}, resolve, reject][state](result));
    made.then(() => {}, () => {});
    settled.set(made, { __proto__: null, state, result });
    return made;
  };
  const host = {
    proxyTarget: (value) => get(targets, value),
    promiseState(value) { const known = get(settled, value); return known === undefined ? -1 : known.state; },
    promiseResult: (value) => get(settled, value).result,
  };
  const { inspect, format } = new Function('host', ${JSON.stringify(prelude)})(host);
  const listOf = (args, copy = setPrototypeOf([], null)) => {
    for (let i = 0; i < args.length; i++) copy[i] = args[i];
    return copy;
  };
  return { inspect, format: (args) => format(listOf(args)) };
})()`;

const corpus = String.raw`
0
-0
1.5
1e21
NaN
-Infinity
123n
-5n
true
undefined
null
Symbol('a b')
Symbol()
Symbol.iterator
'plain'
''
'it\'s'
'it\'s "so"'
'it\'s "so" ${'`'}here${'`'}'
'it\'s "so" \${here}'
'a\nb\t\\\r\b\f\v\0\x1b\x7f\x9f\xa0'
'\ud83d x \ude00 \u{1f600}'
'x'.repeat(10001)
'x'.repeat(20000)
'line one is long enough\n'.repeat(5)
['line one is long enough\n'.repeat(5)]
[]
[[]]
[1, 2, 3]
['a', 'b']
[undefined, null, true]
[, 1]
[1, , 3]
[1, , , 4, , ]
[, , ]
new Array(5)
Object.assign([], { 5: 'x', 70: 'y' })
Object.assign([1, , 3], { name: 'n' })
Object.assign([1, 2], { a: 1, '-1': 2, [Symbol('s')]: 3, 4294967295: 4 })
Array.from({ length: 7 }, (_, i) => i)
Array.from({ length: 100 }, (_, i) => i)
Array.from({ length: 101 }, (_, i) => i)
Array.from({ length: 250 }, (_, i) => i * i)
Array.from({ length: 30 }, (_, i) => 'item ' + i)
Array.from({ length: 30 }, (_, i) => 'x'.repeat(i))
Array.from({ length: 12 }, (_, i) => i % 2 ? 'odd' : i)
Array.from({ length: 12 }, (_, i) => BigInt(i) ** 9n)
Array.from({ length: 12 }, (_, i) => -i / 7)
Array.from({ length: 9 }, (_, i) => ({ i }))
Array.from({ length: 9 }, (_, i) => [i, [i]])
Object.assign(Array.from({ length: 8 }, (_, i) => i), { a: 1 })
{ const a = new Array(200); a[3] = 1; a[150] = 2; a }
{ const a = Array.from({ length: 300 }, (_, i) => i); delete a[50]; a }
{ const a = []; a[4294967294] = 1; a }
{ const a = [1, 2, 3]; Object.defineProperty(a, 1, { get() { throw 1; }, enumerable: true }); a }
{ const a = []; for (let i = 0; i < 400; i += 2) a[i] = i; a }
'abc 123'.match(/(?<word>[a-z]+) (\d+)/)
({})
({ a: 1 })
({ a: 1, 'b-c': 2, $d: 3, 4: 5, _e: 6, '': 7, "it's": 8, 'new\nline': 9 })
({ ['__proto__']: 1 })
({ a: { b: { c: {} } } })
({ a: { b: { c: { d: 1 } } } })
({ a: { b: { c: [] } }, e: { f: { g: [1] } } })
({ a: { b: { c: new Map([[1, 2]]), d: new Map() } } })
({ a: { b: { c: { d: { e: 1 } } } }, f: [[[[1]]]] })
({ first: [1, 2, 3], second: { inner: [1, 2, 3] }, third: { inner: { most: [1] } } })
({ long: 'x'.repeat(60), other: 'y'.repeat(10) })
({ one: 'x'.repeat(30), two: 'y'.repeat(30), three: 3 })
({ text: 'a long text that is broken at its newlines\nwhen it does not fit the line at all' })
({ [Symbol('key')]: 1, [Symbol()]: 2, [Symbol("it's\n")]: 3 })
Object.defineProperty({}, Symbol('hidden'), { value: 1 })
Object.defineProperty({}, 'hidden', { value: 1 })
({ get a() { throw 1; }, set b(v) {}, get c() { throw 1; }, set c(v) {} })
Object.defineProperty({}, 'neither', { get: undefined, enumerable: true })
Object.create(null)
Object.assign(Object.create(null), { a: 1 })
Object.create({ inherited: 1 })
Object.create({}, { a: { value: 1, enumerable: true } })
Object.create(class Foo {}.prototype)
new (class Foo {})()
new (class Foo { a = 1; })()
new (class Foo extends class Bar {} { a = 1; })()
(class Foo {}).prototype
(class Foo extends class Bar {} {}).prototype
new (class {})()
new (class { a = 1; })()
[new (class Foo { a = 1; })(), new (class Foo { a = { b: { c: 1 } }; })()]
{ const Old = function () { this.a = 1; }; new Old() }
{ const Old = function () {}, Older = function () {}; Old.prototype = Object.create(Older.prototype); new Old() }
{ class Foo {} Foo.prototype.constructor = class Unrelated {}; new Foo() }
{ class Foo {} delete Foo.prototype.constructor; new Foo() }
({ constructor: 'mine', a: 1 })
({ constructor: class Foo {} })
class A {}
class extends Map {}
class A extends null {}
class A { static x = 1; static y() {} }
Object.setPrototypeOf(class A {}, null)
class A { static [Symbol.toStringTag] = 'T' }
Object.freeze(function frozen() {})
function f() {}
() => {}
(() => () => {})()
async function f() {}
async () => {}
function* g() {}
async function* g() {}
({ method() {} })
({ class() {} }).class
Object.assign(function f() {}, { a: 1 })
Object.setPrototypeOf(function f() {}, null)
Object.setPrototypeOf(function f() {}, {})
Object.defineProperty(function f() {}, 'name', { value: 'renamed' })
Object.defineProperty(function f() {}, 'name', { value: '' })
(function f() {}).bind()
Map
Math.max
new Map()
new Map([['a', 1], [{ b: 2 }, new Map([[3, [4]]])]])
new Map(Array.from({ length: 120 }, (_, i) => [i, i]))
Object.assign(new Map([[1, 2]]), { a: 1 })
new (class Foo extends Map {})([[1, 2]])
new Set()
new Set([1, 'a', [2], { b: 3 }])
new Set(Array.from({ length: 120 }, (_, i) => i))
new (class Foo extends Set { a = 1; })()
new Map([['a long key that makes a long line', 'a long value that does too'], ['another', 'one of them']])
[new Set([[1, 2, [3, [4]]]])]
[1][Symbol.iterator]()
(function* () {})()
(async function* () {})()
'ab'[Symbol.iterator]()
new WeakMap()
Object.assign(new WeakSet(), { a: 1 })
new WeakRef({})
new Date(0)
new Date(NaN)
Object.assign(new Date(0), { a: 1 })
new (class Foo extends Date {})(0)
[new Date(1e12)]
({ a: { b: { c: new Date(0), d: /x/ } } })
/a(b)\/[/]\n/dgimsuy
new RegExp('')
new RegExp('\n/')
Object.assign(/a/, { b: 1 })
new (class Foo extends RegExp {})('a', 'g')
new Number(3)
new Number(-0)
Object.assign(new Number(3), { a: 1 })
new String('abc')
Object.assign(new String('abc'), { a: 1, b: 2 })
new Boolean(false)
Object(Symbol('s'))
Object(5n)
new (class Foo extends Number {})(3)
new (class Foo extends String {})("it's")
new Uint8Array()
new Uint8Array(3)
new Uint8Array(200)
new Float64Array([1.5, -0, NaN])
new BigInt64Array([1n, -2n])
Object.assign(new Uint8Array([1, 2]), { a: 1 })
new (class Foo extends Uint8Array {})(2)
new Uint8ClampedArray(8)
new ArrayBuffer(0)
new Uint8Array([1, 2, 255]).buffer
new ArrayBuffer(120)
new SharedArrayBuffer(2)
new DataView(new ArrayBuffer(4), 1, 2)
({ a: { b: new DataView(new ArrayBuffer(4), 1, 2) } })
promise(0)
promise(1, { a: { b: { c: { d: 1 } } } })
promise(2, 'reason')
Object.assign(promise(1, 'x'.repeat(90)), { a: 1 })
proxy({ a: 1 })
proxy([1, 2, , 4])
proxy(function f() {})
proxy(class A {})
proxy(proxy({ a: proxy([1]) }))
proxy(new Map([[1, 2]]))
revoked()
[revoked()]
{ const a = { b: 1 }; a.self = a; a }
{ const a = [1]; a.push(a, [a]); a }
{ const a = {}, b = { a }; a.b = b; ({ a, b }) }
{ const m = new Map(); m.set(m, m); m }
{ const a = function f() {}; a.a = a; a }
{ const a = {}; a.p = proxy(a); a }
{ const a = new (class Foo {})(); a.x = { y: a, z: { a } }; a }
({ [Symbol.toStringTag]: 'T' })
Object.defineProperty({}, Symbol.toStringTag, { value: 'T' })
Object.defineProperty({ a: 1 }, Symbol.toStringTag, { value: 'T' })
Object.defineProperty({}, Symbol.toStringTag, { value: 5 })
Object.defineProperty([1], Symbol.toStringTag, { value: 'T' })
Object.defineProperty(Object.create(null), Symbol.toStringTag, { value: 'T' })
{ class Foo {} Foo.prototype[Symbol.toStringTag] = 'T'; new Foo() }
{ class Foo {} Foo.prototype[Symbol.toStringTag] = 'Foo'; ({ a: { b: { c: Object.assign(new Foo(), { d: 1 }) } } }) }
{ class Foo extends Map {} Foo.prototype[Symbol.toStringTag] = 'T'; new Foo() }
(function () { return arguments; })()
(function () { return arguments; })(1, 'a')
(function () { 'use strict'; return arguments; })([1], {})
Math
JSON
Reflect
Object.prototype
Array.prototype
Function.prototype
Map.prototype
RegExp.prototype
Object.create(Map.prototype)
Object.create(RegExp.prototype)
Object.create(Uint8Array.prototype)
Object.create(Promise.prototype)
Object.create(Array.prototype)
Object.create(Number.prototype)
Object.setPrototypeOf([1, 2], null)
new (class Foo extends Array {})(1, 2, 3)
new Error('boom')
new TypeError('boom')
new Error()
new Error('two\nlines')
new Error('    at looks like a frame\n    at f (x.js:1:1)')
[new Error('nested')]
({ a: { b: { c: new Error('deep') } } })
Object.assign(new Error('boom'), { code: 'E', detail: { a: 1 } })
new (class ValidationError extends Error {})('boom')
new (class Problem extends Error {})('boom')
new (class extends TypeError {})('boom')
new Error('outer', { cause: 'text' })
new Error('outer', { cause: { code: 1 } })
new AggregateError([1, 'two'], 'several')
Object.assign(new Error('boom'), { message: 'boom', name: 'Error' })
Object.assign(new Error('boom'), { stack: 'no frames' })
Object.assign(new Error('boom'), { stack: 'Error: boom\n    at f (script.js:3:5)\n    at g (script.js:9:1)' })
Object.assign(new Error('boom'), { stack: '' })
Object.defineProperty(new Error('boom'), Symbol.toStringTag, { value: 'T' })
Object.create(TypeError.prototype)
`.trim().split('\n');

// A block's value is its last expression's.
const evaluable = (line) => (line.startsWith('{') ? line : `(${line})`);

const formats = String.raw`
['plain']
[]
['']
['a', 'b', 1]
[1, 'a']
[{ a: 1 }, 'text', ['x']]
['100%']
['100%', 1]
['%%']
['%% %s', 1]
['%s is %d years', 'Ann', 42]
['%s %s', 'one']
['%s', 'one', 'two', { a: 1 }]
['%x %s', 'one']
['%s %s %s %s %s', -0, 5n, Symbol('s'), undefined, null]
['%s', { a: { b: 1 } }]
['%s', [1, [2]]]
['%s', new Date(0)]
['%s', () => 1]
['%s', class A {}]
['%s', Object.create(null)]
['%d %d %d %d %d', '42', '', 1.5, 7n, Symbol()]
['%d %d %d', null, undefined, true]
['%d', {}]
['%i %i %i %i %i', '42.9px', 1.9, 7n, Symbol(), null]
['%i', {}]
['%f %f %f', '1.5x', 'x', Symbol()]
['%j', { a: [1, 'b'] }]
['%j', undefined]
['%j', { toJSON: () => 'me' }]
['%j', (() => { const a = {}; a.a = a; return a; })()]
['%O', { a: { b: { c: { d: 1 } } } }]
['%o', { a: { b: { c: { d: { e: { f: 1 } } } } } }]
['%o', [1, 'a']]
['%o', Object.defineProperty({}, 'hidden', { value: 1 })]
['%c styled', 'color: red']
['%s%s%%%s%', 1, 2, 3]
['a%sb%sc', 1, 2, 3, 4]
['%', 1]
['%s', 'a\nb']
['x', 'a\nb', ['a\nb']]
[null, undefined, 'x']
[Symbol('a'), 1n]
`.trim().split('\n');

const here = (0, eval)(setup);
const value = (line) => (0, eval)(evaluable(line));

// What `show` makes of each line, in a form whose difference to another is easy to read.
const table = (lines, show) => Object.fromEntries(lines.map((line) => [line, show(line)]));
const node = (line) => util.inspect(value(line));
const nodeFormat = (line) => util.format(...value(line));
const expected = table(corpus, node), expectedFormats = table(formats, nodeFormat);

test('inspect agrees with util.inspect', () => {
  const made = table(corpus, value); // once: errors know where they were made
  assert.deepEqual(table(corpus, (line) => here.inspect(made[line])), table(corpus, (line) => util.inspect(made[line])));
});

test('format agrees with util.format', () => {
  assert.deepEqual(table(formats, (line) => here.format(value(line))), table(formats, nodeFormat));
});

test('what Node says differently', () => {
  const differing = [
    // Script code is not run.
    ["({ [Symbol.for('nodejs.util.inspect.custom')]() { throw 1; } }).x", 'undefined'],
    ["({ [Symbol.for('nodejs.util.inspect.custom')]: 1 })", '{ [Symbol(nodejs.util.inspect.custom)]: 1 }'],
    ["new (class Foo { get [Symbol.toStringTag]() { throw 1; } })()", 'Foo {}'],
    ["new (class Foo extends Map { get [Symbol.toStringTag]() { throw 1; } })()", 'Foo(0) {}'],
    ["class A { static get name() { throw 1; } }", '[class (anonymous)]'],
    // No way to look without moving on.
    ["new Map([[1, 2]]).entries()", 'Object [Map Iterator] {}'],
    ["new Set([1]).values()", 'Object [Set Iterator] {}'],
    // Told by their prototypes.
    ["Object.setPrototypeOf(new Map([[1, 2]]), null)", '[Object: null prototype] {}'],
    ["Object.setPrototypeOf(new Map([[1, 2]]), {})", '{}'],
    ["Object.create(Object.create(null))", 'Object <Complex prototype> {}'],
    ["Object.setPrototypeOf([1, 2], {})", 'Object(2) [ 1, 2 ]'],
    // A property of that name is not what the expression is.
    ["Object.defineProperty(/a/, 'global', { value: true })", '/a/'],
    // Node takes the parenthesis for a parameter list.
    ['class A extends (class B {}) {}', '[class A extends B]'],
    // A long array is not searched for names.
    ["Object.assign(new Array(2000), { a: 1 })", '[ <2000 empty items> ]'],
    // A chain of proxies is shown as what is behind it.
    ["Object.create(proxy({ a: 1 }, { getPrototypeOf() { throw 1; } }))", '{}'],
  ];
  for (const [line, expected] of differing) {
    assert.equal(here.inspect(value(line)), expected, line);
    if (!/throw|custom|, \{\}\)$/.test(line)) assert.notEqual(node(line), expected, `${line}: no difference`);
  }
  const formatted = [
    ["['%s', { toString() { throw 1; } }]", '{ toString: [Function: toString] }'],
    ["['%d', { valueOf() { throw 1; } }]", 'NaN'],
    ["['%d %i %f', [5], new Date(5), () => 1]", 'NaN NaN NaN'],
    ["['%j', 5n]", '<inspection failed>'],
    ["['%j', { toJSON() { throw null; } }]", '<inspection failed>'],
    ["['%j', { toJSON() { throw revoked(); } }]", '<inspection failed>'],
  ];
  for (const [line, expected] of formatted) assert.equal(here.format(value(line)), expected, line);
});

test('an error without a header in its stack, as in QuickJS', () => {
  const error = (message, stack) => Object.assign(new RangeError(message), { stack });
  const frames = '    at f (script.js:3:5)\n    at <eval> (script.js:9:1)\n';
  const shown = `RangeError: boom\n${frames.trimEnd()}`;
  assert.equal(here.inspect(error('boom', frames)), shown);
  assert.equal(here.inspect([error('boom', frames)]), `[\n  ${shown.replaceAll('\n', '\n  ')}\n]`);
  assert.equal(here.inspect(Object.assign(error('boom', frames), { code: 1 })), `${shown} {\n  code: 1\n}`);
  assert.equal(here.inspect(error('', frames)), shown.replace(': boom', ''));
  assert.equal(here.inspect(error('boom', '')), '[RangeError: boom]');
});

test('an error that was tampered with', () => {
  const cases = [
    ["Object.defineProperties(new Error('boom'), { stack: { get() { throw 1; } }, message: { get() { throw 1; } } })", '[Error]'],
    ["Object.defineProperties(new Error(), { stack: { value: {} }, name: { value: 5 }, message: { value: [] } })", '[Error]'],
    ["Object.defineProperties(new Error('boom'), { stack: { value: '' }, name: { value: '' } })", '[boom]'],
    ["Object.defineProperty(Object.assign(new Error('boom'), { stack: '' }), 'cause', { get() { throw 1; } })",
      '[Error: boom] { [cause]: [Getter] }'],
    ["Object.setPrototypeOf(new Error('boom'), proxy({}))", '{}'],
  ];
  for (const [line, expected] of cases) assert.equal(here.inspect(value(line)), expected, line);
});

test('a module', async () => {
  const namespace = await import('data:text/javascript,export const a = 1, b = { c: 2 }; export default () => {};');
  assert.equal(here.inspect(namespace), util.inspect(namespace));
});

test('no trap of a proxy ever fires, wherever it is', () => {
  let fired = '';
  const handler = new Proxy({}, { get: (_, trap) => { fired = trap; return undefined; } });
  const { proxy } = globalThis;
  const error = () => { const made = new Error('x'); void made.stack; return made; }; // V8 writes it when it is first read
  const evil = (target = {}) => proxy(target, handler);
  class Foo {}
  Object.defineProperty(Foo.prototype, 'constructor', { value: evil(Foo) });
  const values = [
    evil(), evil([1, 2]), evil(() => {}), evil(new Map()), [evil()], { a: evil() }, new Map([[evil(), evil()]]),
    new Set([evil()]), Object.create(evil()), Object.create(evil(evil(Foo.prototype))), new Foo(),
    Object.setPrototypeOf(() => {}, evil(() => {})),
    Object.setPrototypeOf(error(), evil(Error.prototype)), Object.assign(error(), { cause: evil() }),
    Object.assign(error(), { name: evil(), message: evil(), stack: evil() }), Object.setPrototypeOf([1], evil([])),
    Object.setPrototypeOf(class {}, evil(class {})), Object.assign(Object.create({ constructor: evil(class {}) }), { a: 1 }),
    { [Symbol.toStringTag]: evil() }, Object.setPrototypeOf(new Map([[1, 2]]), evil(Map.prototype)),
  ];
  for (const made of values) assert.equal(typeof here.inspect(made), 'string');
  here.format(['%s %d %i %f %O %o', ...Array.from({ length: 6 }, () => evil())]);
  assert.equal(fired, '');
});

test('prototypes that lead in a circle', () => {
  const target = {};
  const { proxy } = globalThis;
  const looped = proxy(target);
  Object.setPrototypeOf(target, looped);
  assert.equal(here.inspect(target), 'Object <Complex prototype> {}');
  let nested = {};
  for (let i = 0; i < 1000; i++) nested = proxy(nested);
  assert.equal(here.inspect([nested]), '[ <Revoked Proxy> ]');
  let chain = null;
  for (let i = 0; i < 1e5; i++) chain = Object.create(chain);
  assert.equal(here.inspect([chain]), '[ Object <Complex prototype> {} ]');
});

test('the output is bounded', () => {
  const max = 65536 + 10;
  const many = (n, make) => Array.from({ length: n }, (_, i) => make(i));
  const wide = Object.fromEntries(many(50000, (i) => [`key${i}`, i]));
  const tree = (depth) => (depth === 0 ? 'leaf' : many(100, () => tree(depth - 1)));
  const long = 'x'.repeat(1e6);
  const cases = [
    wide, [wide, wide], many(100, () => wide), many(100, () => many(100, () => ({ wide }))), tree(3), many(100, () => long),
    { [long]: 1 }, Symbol(long), Object.assign(new Error(long), { long }),
    new Map(many(100, () => [long, many(100, () => long)])),
    many(100, () => ({ [Symbol.toStringTag]: long })), Object.fromEntries(many(50000, (i) => [`k${i}`, {}])), new String(long),
    Object.fromEntries(many(20000, (i) => [`k${i}`, new Error('x')])), many(100, () => Object.assign([], { wide })),
  ];
  for (const made of cases) assert.ok(here.inspect(made).length <= max);
  assert.ok(here.format([long, wide, long]).length <= max);
  assert.ok(here.format(['%s %s', long, long]).length <= max);
  assert.ok(here.format(['%s'.repeat(1e5), ...many(1e5, () => wide)]).length <= max);
  assert.match(here.inspect(wide), /\.\.\. more\n}$/);
  assert.match(here.inspect({ a: wide, b: 1 }), /\.\.\. more\n {2}},\n {2}\.\.\. more\n}$/);
  assert.match(here.inspect(many(100, () => wide)), /\.\.\. more\n {2}},\n {2}\.\.\. more\n\]$/);
  assert.equal(here.format([long]), long, 'a plain string is passed on');
});

// Every property of every built-in class becomes an accessor that says it ran, the prototypes get more of them, and the globals
// go. Whatever the tampering itself needs is kept beforehand. Its value: a function that returns what ran.
const tamper = `(() => {
  const { defineProperty, getPrototypeOf, getOwnPropertyDescriptor, prototype: root } = Object, { ownKeys } = Reflect;
  const text = String, world = globalThis;
  let ran = '';
  const evil = (key) => ({ __proto__: null, configurable: true,
    get() { ran += ' get ' + key; throw 'evil'; }, set() { ran += ' set ' + key; throw 'evil'; } });
  const victims = [getPrototypeOf(getPrototypeOf([][Symbol.iterator]())), getPrototypeOf([][Symbol.iterator]()),
    getPrototypeOf(new Map().entries()), getPrototypeOf(new Set().values()), getPrototypeOf(Uint8Array.prototype),
    getPrototypeOf(Uint8Array), getPrototypeOf(async () => {}), getPrototypeOf(function* () {}), Reflect, Math, JSON];
  const globals = ownKeys(world);
  for (const key of globals) {
    const maker = getOwnPropertyDescriptor(world, key).value;
    if (typeof maker === 'function') victims.push(maker);
    if (typeof maker === 'function' && maker.prototype) victims.push(maker.prototype);
  }
  const work = victims.map((victim) => ({ __proto__: null, victim, keys: ownKeys(victim) }));
  const added = ['value', 'get', 'set', 'writable', 'enumerable', 'configurable', 'then', 'index', 'done', 'name', 'tag', 'kind',
    'base', 'open', 'items', 'keys', 'text', 'used', 'letter', Symbol.toStringTag, Symbol.toPrimitive, Symbol.iterator,
    Symbol.replace, Symbol.split, Symbol.species, Symbol.hasInstance, Symbol.isConcatSpreadable];
  for (let i = 0; i < 300; i++) added.push(text(i));
  for (const victim of [Array.prototype, String.prototype, RegExp.prototype, Function.prototype, root]) {
    work.push({ __proto__: null, victim, keys: added });
  }
  for (let i = 0; i < work.length; i++) {
    const { victim, keys } = work[i];
    for (let j = 0; j < keys.length; j++) {
      try { defineProperty(victim, keys[j], evil(text(keys[j]))); } catch {}
    }
  }
  for (let i = 0; i < globals.length; i++) {
    try { delete world[globals[i]]; } catch {}
  }
  ran = '';
  return () => ran;
})()`;

// Built-in objects themselves do look different once they were tampered with. That an object is an arguments object only
// Object.prototype.toString can tell, which asks for a tag; so nothing asks it if there is one.
const looksOtherwise = /^[A-Z]\w+(\.\w+)?$|extends Map {}$|\[Symbol\.iterator\]\(\)$|arguments/;
const hostileCorpus = corpus.filter((line) => !looksOtherwise.test(line));
const harmlessFormats = formats.filter((line) => !line.includes('%j')); // JSON.stringify may run script code

test('a realm that was tampered with', () => {
  const context = vm.createContext({});
  const there = vm.runInContext(setup, context);
  const made = hostileCorpus.map((line) => vm.runInContext(evaluable(line), context));
  const args = harmlessFormats.map((line) => vm.runInContext(evaluable(line), context));
  const all = () => [...made.map((each) => there.inspect(each)), ...args.map((each) => there.format(each))];
  const before = all();
  const ran = vm.runInContext(tamper, context);
  const after = all();
  assert.equal(ran(), '');
  assert.deepEqual(after, before);
});

const wasm = new URL('node_modules/quickjs-wasi/', root);
test('QuickJS-NG', { skip: !existsSync(wasm) && 'run npm ci first' }, async () => {
  const { QuickJS } = await import(new URL('dist/index.js', wasm));
  const quickjs = await QuickJS.create({ wasm: readFileSync(new URL('quickjs.wasm', wasm)) });
  const run = (code) => quickjs.evalCode(code).consume((handle) => quickjs.dump(handle));
  const evaluated = (lines) => `[${lines.map((line) => `() => (0, eval)(${JSON.stringify(evaluable(line))})`)}]`;
  // The frames are other ones.
  const withoutFrames = (text) => text.replace(/\n +at .*?(?=( \{)?,?$)/gm, '');
  const made = (name, lines) => run(`globalThis.${name} = ${evaluated(lines)}.map((make) => make()); 0`);
  run(`globalThis.prelude = ${setup}; 0`);
  assert.match(run('prelude.inspect(globalThis)'), /^Object \[global\] \{\n[^]*prelude: \{ inspect: \[Function: inspect\]/);
  made('made', corpus);
  made('args', formats);
  const tabled = (lines, texts) => table(lines, (line) => withoutFrames(texts[lines.indexOf(line)]));
  const expectedTexts = table(corpus, (line) => withoutFrames(expected[line]));
  assert.deepEqual(tabled(corpus, run('made.map((each) => prelude.inspect(each))')), expectedTexts);
  assert.deepEqual(tabled(formats, run('args.map((each) => prelude.format(each))')), expectedFormats);

  assert.match(run("prelude.inspect(new Error('boom'))"), /^Error: boom\n {4}at <eval> \(.*\d:\d+\)$/);
  assert.match(run("prelude.inspect([new Error('boom')])"), /^\[\n {2}Error: boom\n {6}at <eval> \(.*\d:\d+\)\n\]$/);

  made('made', hostileCorpus);
  made('args', harmlessFormats);
  assert.equal(run(`(() => {
    const { prelude, made, args } = globalThis, madeCount = made.length, argsCount = args.length;
    const all = (texts = { __proto__: null }) => {
      for (let i = 0; i < madeCount; i++) texts[i] = prelude.inspect(made[i]);
      for (let i = 0; i < argsCount; i++) texts[madeCount + i] = prelude.format(args[i]);
      return texts;
    };
    const before = all(), ran = ${tamper}, after = all();
    let wrong = ran();
    for (let i = 0; i < madeCount + argsCount; i++) if (before[i] !== after[i]) wrong += before[i] + ' -> ' + after[i] + '; ';
    return wrong;
  })()`), '');
});
