// The language and its globals as Node and browsers have them: each expression below is evaluated by our engine and by this Node,
// and both must agree on the value, or on the error's name. A result that is a promise is awaited.
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { test } from 'node:test';
import { output, record, run } from './lib.mjs';

process.env.TZ = 'UTC'; // the guest's only time zone

// Writes a value with all that tells it from another. Runs on both sides.
function makeShow() {
  const wrapped = ['Number', 'String', 'Boolean', 'Symbol', 'BigInt'];
  const isIndex = (key) => typeof key === 'string' && /^\d+$/.test(key);
  return function show(v, seen = []) {
    if (Object.is(v, -0)) return '-0';
    if (typeof v === 'string') return JSON.stringify(v);
    if (typeof v === 'bigint') return `${v}n`;
    if (typeof v === 'function') return `[function ${v.name}/${v.length}]`;
    if (typeof v !== 'object' || v === null) return String(v);
    if (seen.includes(v)) return `<${seen.indexOf(v)}>`;
    const deep = (x) => show(x, [...seen, v]);
    if (v instanceof Error) return v.name + (v.name === 'AggregateError' ? deep(v.errors) : '');
    if (v instanceof Date) return `Date(${+v})`;
    if (v instanceof RegExp) return `${v}@${v.lastIndex}`;
    if (v instanceof Map) return `Map{${[...v].map(([k, x]) => `${deep(k)}=>${deep(x)}`)}}`;
    if (v instanceof Set) return `Set{${[...v].map(deep)}}`;
    if (v instanceof ArrayBuffer) return `ArrayBuffer(${[...new Uint8Array(v)]})`;
    if (v instanceof DataView) return `DataView(${v.byteOffset},${v.byteLength})`;
    if (ArrayBuffer.isView(v)) return `${v.constructor.name}(${[...v].map(deep)})`;
    if (v instanceof URL || v instanceof URLSearchParams) return `${v.constructor.name}(${v})`;
    const type = Object.prototype.toString.call(v).slice(8, -1);
    if (wrapped.includes(type)) return `${type}(${deep(v.valueOf())})`;
    const keys = Reflect.ownKeys(v).filter((key) => Object.prototype.propertyIsEnumerable.call(v, key));
    const fields = (list) => list.map((key) => `${String(key)}:${deep(v[key])}`);
    if (Array.isArray(v)) {
      const items = Array.from({ length: v.length }, (_, i) => (i in v ? deep(v[i]) : 'hole'));
      return `[${[...items, ...fields(keys.filter((key) => !isIndex(key)))]}]`;
    }
    const proto = Object.getPrototypeOf(v);
    const name = proto === null ? 'null' : proto === Object.prototype ? '' : type === 'Object' ? proto.constructor?.name : type;
    return `${name}{${fields(keys)}}`;
  };
}

async function evaluate(show, expressions) {
  const shown = [];
  for (const expression of expressions) {
    try {
      shown.push(show(await (0, eval)(expression)));
    } catch (error) {
      shown.push(`throws ${error instanceof Error ? error.name : show(error)}`);
    }
  }
  return shown;
}

const guest = `${evaluate}\nconst show = (${makeShow})();\nconst main = (expressions) => evaluate(show, expressions);`;

// `## ` begins a test, ` ;; ` stands between two expressions, an indented line continues the one above. What follows ` //= ` says
// what is expected where Node may be too old or differs from the standard. \` and \${ stand for ` and ${.
function sections(text) {
  const lines = text.replace(/\n +/g, ' ').replace(/\\(`|\$\{)/g, '$1').trim().split(/^## /m).slice(1);
  return lines.map((section) => {
    const [title, ...cases] = section.trim().split(/\n| ;; /);
    return { title, cases: cases.map((text) => text.split(' //= ')) };
  });
}

async function compare(cases) {
  const ours = output(guest, ['--input', '-'], { stdin: JSON.stringify(cases.map(([expression]) => expression)) }).result;
  const theirs = await evaluate(makeShow(), cases.map(([expression, expected]) => expected ?? expression));
  const differs = cases.map(([expression], i) => `${expression}: ${ours[i]}, expected ${theirs[i]}`).filter((_, i) =>
    ours[i] !== theirs[i]);
  assert.equal(differs.join('\n'), '');
}

const corpus = String.raw`
## URL
new URL('https://user:pa%20ss@Example.COM:8080/a/../b/./c%2f?x=1&y=2#frag').href ;; new URL('', 'https://a.b/c?d#e').href
(u => [u.protocol, u.username, u.password, u.host, u.hostname, u.port, u.pathname, u.search, u.hash,
    u.origin])(new URL("https://user:pass@example.com:8080/p/a?query=string#hash"))
new URL('../x?y#z', 'http://a.b/c/d/e').href ;; new URL('//other/p', 'https://a.b/c').href ;; new URL('http://[::1')
new URL('?q', 'https://a.b/c?d#e').href ;; new URL('#h', 'https://a.b/c?d#e').href ;; new URL('http://0x7f.1/').hostname
new URL('http://EXAMPLE.com:80/').href ;; new URL('https://example.com:443/').port ;; new URL('http://256.256.256.256/')
new URL('http://192.168.0.1.:80/').hostname ;; new URL('http://[::1]:3000/a').host ;; new URL('http://例え.テスト/').hostname
new URL('http://[2001:DB8:0:0:1:0:0:1]/').hostname ;; new URL('http://[::ffff:1.2.3.4]/').hostname ;; new URL('relative')
new URL('http://münchen.de/ä?ö#ü').href ;; new URL('http://faß.de/').hostname ;; new URL('http://a b/') ;; new URL()
new URL('http://a%41.com/').hostname ;; new URL('http://ex%00ample/') ;; new URL('http://') ;; new URL('https://:80')
new URL('http://a:65536/') ;; new URL('http://a:99x/') ;; new URL('data:text/plain,hi there').href ;; URL('http://a')
(u => [u.origin,u.pathname,u.host])(new URL('data:text/plain,hi')) ;; new URL('mailto:a@b.c').pathname
new URL('javascript:alert(1)').href ;; new URL('file:///C:/a/../b').href ;; new URL('file:///etc/passwd').origin
new URL('blob:https://a.b/uuid').origin ;; new URL('foo://host/p a th?q r#s t').href ;; new URL('foo:bar/baz').pathname
new URL('HTTP:\\\\a\\b').href ;; new URL('  http://a/  ').href ;; new URL('ht\ntp://a/\tb').href ;; URL.canParse('nope')
new URL('http://a/%zz%41').href ;; new URL('http://a/\u{1F600}').href ;; new URL('http://a/?q=\'"<>\`{}|\\^').href
new URL('http://a/p\'"<>\`{}|\\^').href //= 'http://a/p\'%22%3C%3E%60%7B%7D|/%5E' ;; new URL('ws://a:80/x').href
new URL('http://a/#f\'"<>\`{}|\\^').href ;; new URL('wss://a:443/x').href ;; JSON.stringify({u: new URL('http://a/b')})
URL.canParse('http://a') ;; URL.canParse('x', 'http://a') ;; URL.name + URL.length ;; Object.keys(new URL('http://a'))
class X extends URL { get foo() { return this.host } }; new X('http://q').foo
## URL setters
(() => { const u = new URL('http://a/b'); u.pathname = 'c d'; u.search = 'x=1 2'; u.hash = 'h i'; return u.href })()
(() => { const u = new URL('http://a/b'); u.host = 'c:81'; u.port = '90'; u.protocol = 'https'; return u.href })()
(() => { const u = new URL('http://a:81/b'); u.port = ''; u.username='m e'; u.password='p:w'; return u.href })()
(() => { const u = new URL('http://a/b'); u.protocol = 'foo'; return u.href })()
(() => { const u = new URL('http://a/b'); u.port = 'x'; u.hostname = 'b c'; return u.href })()
(() => { const u = new URL('http://a/b'); u.port = '8080abc'; return u.port })()
(() => { const u = new URL('http://a/b?c#d'); u.search = ''; u.hash = ''; return u.href })()
(() => { const u = new URL('http://a/b'); u.href = 'bad' })()
(() => { 'use strict'; const u = new URL('http://a/b'); u.origin = 'x'; return u.origin })()
## URL.searchParams
(() => { const u = new URL('http://a/b'); u.href = 'https://z/?k'; return [u.host, u.searchParams.toString()] })()
(() => { const u = new URL('http://a/?x=1'); u.searchParams.append('y', 'a b&c'); return u.href })()
(() => { const u = new URL('http://a/?x=1&x=2'); u.searchParams.set('x', '3'); return u.href })()
(() => { const u = new URL('http://a/?x=1&y=2'); u.searchParams.delete('x'); return u.href })()
(() => { const u = new URL('http://a/?x=1#h'); u.searchParams.delete('x'); return u.href })()
(() => { const u = new URL('http://a/?b=1&a=2'); u.searchParams.sort(); return u.search })()
(() => { const u = new URL('http://a/?x=1'); const p = u.searchParams; u.search = '?z=9';
    return [p === u.searchParams, p.get('z'), p.get('x')] })()
(() => { const u = new URL('http://a/?x=1'); const p = u.searchParams; u.href = 'http://b/?w=8';
    return [p === u.searchParams, p.get('w'), p.size] })()
(() => { const u = new URL('http://a/?x=%20y+z'); return [u.searchParams.get('x'), u.search] })()
(() => { const u = new URL('http://a/?x=%20y+z'); u.searchParams.append('b','~!*()\''); return u.search })()
new URL('http://a').searchParams === new URL('http://a').searchParams
(() => { const u = new URL('http://a/?x'); u.searchParams = 'y'; return u.href })()
## URLSearchParams
URLSearchParams.name + URLSearchParams.length ;; URLSearchParams('a') ;; new URLSearchParams('?a=1&b=2&a=3').getAll('a')
new URLSearchParams('a=1&b').get('b') ;; new URLSearchParams('a=1').get('zz') ;; new URLSearchParams(null).toString()
new URLSearchParams(undefined).toString() ;; new URLSearchParams('').toString() ;; new URLSearchParams('a=b=c').get('a')
new URLSearchParams('&&a&=b&=').toString() ;; new URLSearchParams('a=+%2B').get('a')
new URLSearchParams('a=1&a=2').has('a') ;; new URLSearchParams('a=1&a=2').has('a', '3')
(p => { p.delete('a', '1'); return p.toString() })(new URLSearchParams('a=1&a=2')) ;; [...new URLSearchParams('a=1&b=2')]
[...new URLSearchParams('a=1&b=2').keys()] ;; [...new URLSearchParams('a=1&b=2').values()]
[...new URLSearchParams('a=1&b=2').entries()] ;; Object.fromEntries(new URLSearchParams('a=1&b=2'))
(() => { const r = []; new URLSearchParams('a=1&b=2').forEach((v, k) => r.push(k + v)); return r })()
(() => { const r = []; new URLSearchParams('a=1').forEach(function (v, k, p) { r.push(this.x, p.toString()) }, {x: 5});
    return r })()
new URLSearchParams('a=1&b=2').size ;; new URLSearchParams('a=1')[Symbol.iterator] === URLSearchParams.prototype.entries
(p => { p.append('z', 1); p.set('a', null); return p.toString() })(new URLSearchParams('a=1&b=2&a=9'))
URLSearchParams.prototype[Symbol.iterator].name ;; URLSearchParams.prototype.append.length
## TextEncoder and TextDecoder
new TextEncoder().encode('aé€\u{1F600}') ;; new TextEncoder().encode('\ud800a') ;; new TextEncoder().encode()
new TextEncoder().encode(undefined) ;; new TextEncoder().encode(null) ;; new TextEncoder().encode(12) ;; TextEncoder()
new TextEncoder().encoding ;; new TextEncoder().encode('abc') instanceof Uint8Array ;; new TextDecoder().decode()
(a => { const r = new TextEncoder().encodeInto('aé€\u{1F600}', a); return [r, a] })(new Uint8Array(5))
(a => { const r = new TextEncoder().encodeInto('aé€', a); return [r.read, r.written, a] })(new Uint8Array(10))
new TextDecoder().decode(new Uint8Array([97, 0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80])) ;; new TextDecoder().decode('abc')
new TextDecoder().decode(new Uint8Array([0xff, 0x61])) ;; new TextDecoder().decode(new Uint8Array([0xe2, 0x82]))
new TextDecoder().decode(new Uint8Array([0xf0, 0x80, 0x80, 0x41])) ;; new TextDecoder().decode(new Uint16Array([0x6261]))
new TextDecoder().decode(new Uint8Array([0xed, 0xa0, 0x80])) ;; new TextDecoder().decode(new Uint8Array([97, 98]).buffer)
new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff])) ;; new TextDecoder().decode([97])
new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0x61])) ;; new TextDecoder().encoding
new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])) ;; new TextDecoder('UTF8').encoding
new TextDecoder('utf-8', { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])) ;; new TextDecoder().fatal
new TextDecoder().decode(new DataView(new Uint8Array([97, 98, 99]).buffer, 1)) ;; new TextDecoder('  utf-8 ').encoding
new TextDecoder().decode(new Uint8Array([97, 98, 99]).subarray(1)) ;; new TextDecoder('bogus')
new TextDecoder().ignoreBOM ;; new TextDecoder('utf-8', {fatal: 1}).fatal ;; new TextDecoder('utf-16').encoding
(d => d.decode(new Uint8Array([0xe2]), { stream: true }) + d.decode(new Uint8Array([0x82]),
    { stream: true }) + d.decode(new Uint8Array([0xac])))(new TextDecoder())
(d => d.decode(new Uint8Array([0xe2]), { stream: true }) + d.decode())(new TextDecoder())
new TextDecoder('utf-16le').decode(new Uint8Array([97, 0, 98, 0]))
new TextDecoder().decode(new TextEncoder().encode('\0a\0')) ;; new TextDecoder('utf-16le').decode(new Uint8Array([97]))
new TextDecoder('utf-16be').decode(new Uint8Array([0, 97]))
new TextDecoder('utf-16le', {fatal: true}).decode(new Uint8Array([0, 0xd8]))
new TextDecoder('utf-16le').decode(new Uint8Array([0, 0xd8]))
(d => { const out = []; for (const b of new TextEncoder().encode('a€😀é')) out.push(d.decode(new Uint8Array([b]),
    { stream: true })); return out })(new TextDecoder())
## atob and btoa
btoa('hello') ;; btoa('') ;; btoa('\xff\xfe') ;; btoa('€') ;; btoa(12) ;; btoa(null) ;; atob('aGVsbG8=') ;; atob('a')
atob('aGVsbG8') ;; atob(' aGVs bG8= \n') ;; atob('aGVsbG8==') ;; atob('!!!!') ;; atob('') ;; atob(null) ;; atob('_-==')
atob('/+8=') ;; (() => { try { btoa('€') } catch (e) { return [e.name, e.code, e instanceof DOMException] } })()
(() => { try { atob('!') } catch (e) { return [e.name, e.code, e instanceof DOMException, e instanceof Error] } })()
## structuredClone
structuredClone({ a: 1, b: [1, , 3], c: 'x', d: null, e: undefined, f: 1n, g: -0, h: NaN }) ;; structuredClone(() => 1)
structuredClone(new Map([[1, { a: 1 }], ['k', new Map()]])) ;; structuredClone(new Set([1, 'a', new Set()]))
structuredClone(new Date(5)) ;; structuredClone(new Date(NaN)) ;; structuredClone(/a(?<n>b)/giu) ;; structuredClone('s')
(() => { const r = /a/g; r.lastIndex = 3; return structuredClone(r).lastIndex })() ;; structuredClone(new Error('m'))
structuredClone(new Uint8Array([1, 2, 3])) ;; structuredClone(new Float64Array([1.5, NaN])) ;; structuredClone(undefined)
structuredClone(new BigInt64Array([1n])) ;; structuredClone(new Uint8Array([1, 2, 3, 4]).subarray(1, 3))
structuredClone(new Uint8Array([1, 2, 3]).buffer) ;; structuredClone(new DataView(new ArrayBuffer(4), 1, 2))
(() => { const o = {}; o.self = o; o.list = [o]; const c = structuredClone(o);
    return [c.self === c, c.list[0] === c, c !== o] })()
(() => { const s = {}; const c = structuredClone({ a: s, b: s }); return c.a === c.b })() ;; structuredClone(Symbol('x'))
(() => { const c = structuredClone(new TypeError('m', { cause: 5 }));
    return [c.name, c.message, c.cause, c instanceof TypeError] })() //= ['TypeError', 'm', 5, true]
structuredClone({ f() {} }) ;; structuredClone(Promise.resolve()) ;; structuredClone(null) ;; structuredClone()
(() => { try { structuredClone(() => 1) } catch (e) { return [e.name, e.code, e instanceof DOMException] } })()
structuredClone({ get a() { return 7 } }) ;; structuredClone({ get a() { throw new TypeError('x') } })
structuredClone(Object.create({ inherited: 1 }, { own: { value: 1, enumerable: true }, hidden: { value: 2 } }))
structuredClone(new (class P { x = 1; #y = 2 })()) ;; structuredClone({ [Symbol('s')]: 1, a: 2 }) ;; structuredClone.name
structuredClone(new Proxy({ a: 1 }, {})) ;; structuredClone(new Proxy([1], {})) ;; structuredClone(Object.freeze([1]))
Object.isFrozen(structuredClone(Object.freeze({}))) ;; structuredClone(JSON) ;; structuredClone('\ud800')
structuredClone(new (class M2 extends Map {})([[1, 2]])).constructor.name ;; structuredClone([new Date(1)][0]).getTime()
structuredClone(new AggregateError([new Error('a')], 'm')) ;; structuredClone({ __proto__: null, a: 1 })
structuredClone(new DOMException('m', 'AbortError')) ;; structuredClone(new DOMException('m', 'AbortError')).message
structuredClone(new DOMException('m', 'AbortError')) instanceof DOMException
[structuredClone(1n), structuredClone(-0), structuredClone(true)]
## DOMException
new DOMException('m', 'AbortError').code ;; new DOMException().name ;; new DOMException('a', 'DataCloneError').code
DOMException.ABORT_ERR ;; String(new DOMException('m', 'N')) ;; new DOMException('m') instanceof Error
typeof new DOMException('m').stack
## promises, async functions, microtasks
queueMicrotask(() => {}) ;; queueMicrotask(5) ;; queueMicrotask.length ;; Promise.all([]) ;; Promise.any([]) ;; Promise()
(async () => { const o = []; queueMicrotask(() => o.push('m1'));
    Promise.resolve().then(() => o.push('p1')).then(() => o.push('p2')); queueMicrotask(() => o.push('m2'));
    o.push('sync'); for (let i = 0; i < 5; i++) await null; return o })()
(async () => { const o = []; const a = async () => { o.push(1); await null; o.push(3) }; const p = a(); o.push(2);
    await p; o.push(4); return o })()
(async () => { const o = []; (async () => { try { await Promise.reject(1) } catch (e) { o.push('c' + e) }
    finally { o.push('f') } })(); await 0; await 0; await 0; return o })()
(async () => { const o = []; new Promise((r) => r(Promise.resolve(1))).then(() => o.push('resolved-promise'));
    Promise.resolve().then(() => o.push(1)).then(() => o.push(2)).then(() => o.push(3)); for (let i = 0; i < 8;
    i++) await 0; return o })()
Promise.all([1, Promise.resolve(2), { then(r) { r(3) } }]) ;; Promise.all([1, Promise.reject(new RangeError('x'))])
Promise.allSettled([1, Promise.reject(2)]) ;; Promise.race([new Promise(() => {}), Promise.resolve('first'), 'x'])
Promise.any([Promise.reject(1), Promise.resolve(2)]) ;; Promise.any([Promise.reject(1), Promise.reject(2)])
Promise.resolve(1).finally(() => 2) ;; Promise.reject(1).finally(() => { throw new TypeError('f') }) ;; Promise.all(5)
Promise.reject(1).catch((e) => e + 1) ;; Promise.resolve(1).then(5) ;; Promise.resolve.call(5) ;; new Promise(5)
new Promise(() => { throw new EvalError('x') }) ;; Promise.try(() => 5) //= 5
(async () => { const { promise, resolve } = Promise.withResolvers(); resolve(4); return promise })() //= 4
Promise.try(() => { throw new RangeError('x') }) //= (() => { throw new RangeError('x') })()
(async () => { const r = []; for await (const x of [1, Promise.resolve(2)]) r.push(x); return r })()
(async () => { async function* g() { yield 1; yield Promise.resolve(2); return 3 } const r = [];
    for await (const x of g()) r.push(x); return r })()
(async () => { async function* g() { try { yield 1; yield 2 } finally { r.push('closed') } } const r = [];
    for await (const x of g()) { r.push(x); break } return r })()
(async () => { async function* g() { const x = yield 1; yield x * 2 } const i = g(); await i.next();
    return [await i.next(21), await i.return(5), await i.next()] })()
(async () => { async function* g() { yield 1 } const i = g(); return Promise.all([i.next(), i.next(), i.next()]) })()
(async () => { for await (const x of [Promise.reject(new SyntaxError('q'))]); })()
Array.fromAsync([1, Promise.resolve(2)]) //= [1, 2] ;; typeof async function () {} + (async () => {}).constructor.name
Array.fromAsync((async function* () { yield 1; yield 2 })(), (x) => x * 2) //= [2, 4]
(() => { class A { accessor = 1; get = 2; set = 3; static = 4; async = 5 } return Object.keys(new A()) })()
## syntax
globalThis === this ;; /(?<n>a)(?<n>b)/ ;; (a => { a.length = 1; return a })([1, 2, 3]) ;; null ?? 'x'
(() => { 'use strict'; undefinedVariable = 1 })() ;; (({ a, ...rest }) => rest)({ a: 1, b: 2, c: 3 })
(([a, , b = 5, ...c]) => [a, b, c])([1, 2, undefined, 4, 5]) ;; ((a, b = a + 1, { c = b } = {}) => [a, b, c])(1)
({ a: { b: null } }).a?.b?.c?.d ;; (() => { let a = null; a ??= 5; a ||= 6; a &&= 7; return a })() ;; new Error('m') + ''
((s, ...v) => [s.raw, s, v])\`x\n\${1}y\` ;; (function () { return typeof this })() //= 'object' ;;
    (({ ...r }) => r)('xy')
(function () { 'use strict'; return typeof this })() ;; (() => { x = 5; var x; return x })()
(() => { return typeof f; function f() {} })() ;; (() => { y; let y = 1 })() ;; (() => { const c = 1; c = 2 })()
(() => { try { return 1 } finally { return 2 } })() ;; (() => { try { throw 1 } catch { return 'c' } })()
(() => { const fs = []; for (let i = 0; i < 3; i++) fs.push(() => i); return fs.map((f) => f()) })()
(() => { with ({ q: 1 }) { return q } })() ;; eval('var z1 = 3; z1 + 1') ;; new Function('a', 'b', 'return a * b')(3, 4)
(function (a, b = 1, ...c) {}).length ;; (() => {}).name + (function named() {}).name ;; typeof new Error('x').stack
new AggregateError([1, new Error('x')], 'm').errors.length ;; globalThis.globalThis === globalThis
Error.prototype.name + RangeError.prototype.name + new TypeError().message ;; ({ a: 1, a: 2, ['b']: 3, 'c d': 4, 5: 6 })
(() => { var { length } = 'abc'; return length })() ;; (([x] = [1], { y } = { y: 2 }) => x + y)()
((...a) => a.length)(...[1, 2], 3) ;; (() => { const { a = 1, ...b } = { c: 3 }; return [a, b] })()
(() => { const o = { a: { b: [1, { c: 2 }] } }; return o?.a?.b?.[1]?.c + (o.x?.() ?? 1) })()
(() => { 'use strict'; return eval('"\\103"') })()
## generators
[...(function* () { const x = yield 1; yield x })()] ;; Object.prototype.toString.call((function* () {})())
(() => { function* g() { try { yield 1 } catch (e) { yield 'c' + e } finally { yield 'f' } } const i = g();
    return [i.next(), i.throw('E'), i.next(), i.next()] })()
(() => { function* g() { try { yield 1; yield 2 } finally { yield 'f' } } const i = g(); i.next();
    return [i.return(9), i.next(), i.next()] })()
## classes
(() => { class A { #p = 1; static #s = 2; get p() { return this.#p } set p(v) { this.#p = v } static s() { return A.#s }
    #m() { return 'm' } m() { return this.#m() } has(o) { return #p in o } } const a = new A(); a.p = 5;
    return [a.p, A.s(), a.m(), a.has(a), a.has({})] })()
(() => { class A { static x = 1; static { A.y = A.x + 1 } z = this.constructor.name;
    ['c' + 1] = 3 } return [A.y, new A()] })()
(() => { class B extends Object { constructor() { } } new B() })() ;; (() => { class A {} A() })()
(() => { class A { constructor() { return { q: 1 } } } return new A() })()
(() => { function F() { return new.target === F } return [new F() instanceof F, F()] })()
(() => { class A extends Array { sum() { return this.reduce((a, b) => a + b) } } const a = A.from([1, 2, 3]);
    return [a.sum(), a.map((x) => x * 2) instanceof A, a.length] })()
(() => { class A { #x; static t(o) { return o.#x } } A.t({}) })()
(() => { const o = { __proto__: { a: 1 }, get b() { return super.a + 1 } }; return o.b })()
Object.getOwnPropertyNames(class { static m() {} }).sort()
new (class { static #c = 0; static inc() { return ++this.#c } }).constructor.inc()
## Object
(() => { const e = new Error('m', { cause: 'c' }); return [e.cause, Object.keys(e), 'cause' in new Error('x')] })()
Object.groupBy([1, 2, 3], (x) => x % 2 ? 'odd' : 'even') //= Object.assign(Object.create(null), { odd: [1, 3],
    even: [2] })
Object.entries({ b: 1, a: 2, 1: 3, 0: 4 }) ;; Object.fromEntries([['a', 1], ['b', 2]]) ;; Object.hasOwn({ a: 1 }, 'a')
Object.assign({}, { a: 1 }, null, 'xy') ;; Object.is(-0, 0) ;; Object.freeze(Object.assign([], [1])) ;; Object.keys('ab')
Object.getOwnPropertyDescriptors({ get a() { return 1 }, b: 2 }) ;; Object.defineProperty({}, 'x', { value: 1 }).x
(() => { 'use strict'; const o = Object.freeze({ a: 1 }); o.a = 2 })() ;; Object.assign({}, 'xy')
(() => { const o = Object.seal({ a: 1 }); delete o.a; o.b = 1; o.a = 2; return o })() ;; Object.entries([7, 8])
Object.defineProperty({}, 'x', { get() {}, value: 1 }) ;; Object.setPrototypeOf({}, Array.prototype) instanceof Array
Object.isFrozen('x') && Object.isExtensible({}) ;; Object.getOwnPropertyDescriptor({ get x() { return 1 } }, 'x').set
## BigInt
2n ** 100n ;; -7n / 2n ;; -7n % 2n ;; 5n > 4 ;; 1n + 1 ;; BigInt(1.5) ;; BigInt('0xff') ;; BigInt('12a') ;; typeof 1n
BigInt.asUintN(8, 257n) ;; BigInt.asIntN(8, 255n) ;; 0n === -0n ;; 1n == 1 ;; [3n, 1, 2n].sort() ;; BigInt(2 ** 53) + 1n
(123456789012345678901234567890n).toString(36) ;; (-255n).toString(16) ;; BigInt('  12  ') ;; ~5n ;; 1n << 70n ;; +1n
-1n >> 70n ;; 1n >>> 0n ;; Number(2n ** 64n) ;; BigInt(Number.MAX_SAFE_INTEGER) * BigInt(Number.MAX_SAFE_INTEGER)
## numbers
parseInt('9007199254740993') ;; 0 || null ?? 1 ;; 2 ** -1 ;; (-2) ** 2 ;; 1_000_000 ;; 0b101 + 0o17 + 0xff ;; 0.1 + 0.2
(25).toString(36) + (0.1).toString(2) + (255).toString(16) ;; (1.005).toFixed(2) ;; (12345).toExponential(2) ;; 1 / 3
(1234.5678).toFixed(2) + (0.000001234).toString() + (1e21).toFixed(2) ;; 5e-324 ;; 1.7976931348623157e308 * 10 ;; -1 / 0
(123.456).toPrecision(4) + (0.00001).toPrecision(1) + (1e21).toPrecision(3) ;; 123456789012345680000 ;; 1e21 + 1
4.35 * 100 ;; Number('0x1f') + Number('') + Number(' 12 ') + Number('1_000') ;; (1e-7).toString() + (100).toString(2)
Number.parseFloat('3.14abc') + parseInt('08') + parseInt('z', 36) ;; [10, 1, 5].map(parseInt) ;; Math.round(-0.5)
Number.isInteger(5.0) && Number.isSafeInteger(2 ** 53) ;; Number.EPSILON + Number.MAX_SAFE_INTEGER + Number.MIN_VALUE
Math.hypot(3, 4) + Math.cbrt(27) + Math.sign(-3) + Math.trunc(-4.7) + Math.fround(5.5) + Math.clz32(1) ;; 1 << 31
Math.max() + Math.min(1, 2, NaN) ;; Math.round(2.5) + Math.round(-2.5) ;; Math.imul(0xffffffff, 5) ;; (-5) % 3 + 5 % -3
Math.log2(8) + Math.log10(1000) + Math.log1p(0) + Math.expm1(0) ;; Math.sumPrecise([0.1, 0.2, 0.3]) //= 0.6 ;; -1 >>> 0
(Math.atan2(1, 1) + Math.sinh(1) + Math.tanh(1)).toFixed(12) ;; Math.f16round(1.1) //= 1.099609375 ;; 5 & 3 | 4 ^ 1
(Math.sin(1) + Math.cos(1) + Math.exp(1) + Math.pow(2, 0.5)).toFixed(12) ;; [1, 2, 3].map(String).map(Number)
(0).toFixed(101) ;; (1.45).toFixed(1) + (8.345).toFixed(2) + (0.5).toFixed(0) + (1.5).toFixed(0) + (-1.5).toFixed(0)
0.000001 + '' + 1e-7 + 123e-20 + 1.5e300 ;; [0.1*3, 1e16+1, 2**53+2, 1/7, 100/3, 5e-7] ;; (0.1).toString(3).slice(0, 20)
(255.5).toString(16) ;; parseFloat('1e1000') + parseFloat('.5.') + parseFloat('-0x1')
Math.pow(NaN, 0) + Math.pow(1, Infinity) ;; Math.max(-0, 0) + 1 / Math.min(0, -0)
0.1 * 3 + ',' + 1e300 * 1e10 + ',' + -1e-7
## JSON
JSON.stringify({ a: 1n }) ;; JSON.parse('{"a":[1,2,{"b":null}],"c":"\\u00e9\\n"}') ;; JSON.parse('{"a":1,"a":2}')
JSON.parse('{"__proto__":1}') ;; JSON.parse(' [1 , 2 ] ') ;; JSON.parse('[1,]') ;; JSON.parse('01') ;; JSON.parse('-0')
JSON.parse("'a'") ;; JSON.parse('"\t"') ;; JSON.parse('') ;; JSON.parse(undefined) ;; JSON.parse('1e400')
JSON.parse('[1,2,3]', (k, v) => Array.isArray(v) ? v : v * 2) ;; JSON.parse('"\\ud800"') ;; JSON.stringify(undefined)
JSON.parse('{"a":1,"b":2}', (k, v) => k === 'a' ? undefined : v) ;; JSON.stringify({ b: 1, a: [1, { c: 2 }] }, null, 2)
JSON.stringify({ b: 1, a: 2 }, ['a']) ;; JSON.stringify({ a: 1, b: 'x' }, (k, v) => typeof v === 'number' ? v + 1 : v)
JSON.stringify('\ud800\u2028"\\\b\u007f') ;; JSON.stringify({ toJSON() { return { x: 1 } } })
JSON.stringify([new Number(1), new String('s'), new Boolean(false), Object(Symbol())])
JSON.stringify({ [Symbol('a')]: 1 }) ;; JSON.stringify([1, [2]], null, '--')
JSON.stringify((() => { const o = {}; o.o = o; return o })()) ;; JSON.rawJSON('1e1000').rawJSON //= '1e1000'
JSON.stringify(1e21) + JSON.stringify(1e-7) + JSON.stringify(123456789.125)
'abc'.replace(/(?<x>b)/, (...a) => JSON.stringify(a.at(-1)))
## Date
new Date(0).toISOString() ;; new Date(2026, 0, 31, 12, 30, 15, 7).toISOString() //= '2026-01-31T12:30:15.007Z'
new Date('2026-01-31').getTime() ;; new Date('2026-01-31T12:00').toISOString() //= '2026-01-31T12:00:00.000Z'
new Date('2026-01-31T12:00:00+02:00').toISOString() ;; new Date('Sat, 31 Jan 2026 12:00:00 GMT').toISOString()
new Date('Jan 31, 2026 12:00 UTC').getTime() ;; new Date('nope').getTime() ;; new Date('nope').toISOString()
new Date(8.64e15 + 1).getTime() ;; String(new Date(0)).slice(0, 33) //= 'Thu Jan 01 1970 00:00:00 GMT+0000' ;; Date.UTC()
new Date(0).toUTCString() ;; new Date(0).toDateString() //= 'Thu Jan 01 1970' ;; new Date(0).toJSON() ;; Date.UTC(99, 0)
new Date(NaN).toJSON() ;; String(new Date(NaN)) ;; Date.UTC(2024, 1, 29) ;; new Date(Date.UTC(2024, 1, 31)).toISOString()
new Date(1e12).getUTCDay() ;; new Date(Date.UTC(2024, 0, 31)).setUTCMonth(1) ;; new Date(2024, 0, 31).getHours()
new Date(-1).toISOString() ;; new Date(-62198755200000).toISOString() ;; new Date(253402300800000).toISOString()
new Date('+010000-01-01T00:00:00Z').getTime() ;; new Date('-000001-01-01T00:00:00Z').getTime() ;; Date.parse('2024')
Date.parse('2024-02-30') ;; Date.parse('2024-02-30T00:00:00Z') ;; Date.parse('2024-13-01') ;; Date.parse('2024-06')
Date.parse('2024-01-01T24:00:00Z') ;; Date.parse('2024-01-01T24:00:01Z') ;; Date.parse('2024-01-01T12:00:00.123456Z')
\`\${new Date(5)}\`.length > 20 ;; new Date(5) - 0 ;; new Date(5)[Symbol.toPrimitive]('number') ;; typeof Date()
Date.length ;; new Date(undefined).getTime() ;; new Date(null).getTime() ;; new Date(true).getTime()
Reflect.construct(Date, [0]).getTime() ;; new Date(2024, 1, 30).getDate() ;; new Date('2024/01/02').getTime()
new Date('2024-01-01T00:00:00.000').getTime() ;; new Date('1 Jan 2024').getTime() ;; new Date('2024-1-1').getTime()
new Date('2024-01-01 10:00').getTime() ;; new Date(0).setHours(25) ;; new Date(0).setUTCFullYear(2024, 1, 29)
new Date(2020, 5, 15, 10, 20, 30, 456).toISOString() ;; new Date("Tue Mar 01 2022 00:00:00 GMT+0100 (CET)").getTime()
## regular expressions
'2024-06-01'.match(/(?<y>\d{4})-(?<m>\d\d)/).groups ;; 'a1b22'.replace(/(?<d>\d+)/g, '[$<d>]') ;; 'x\ny'.match(/x.y/s)[0]
'abc'.replace(/(?<=a)b/, 'X') ;; 'abc abd'.match(/ab(?!c)/).index ;; 'price $5'.match(/(?<!\$)\d/) ;; /a/y.exec('ba')
'\u{1F600}a'.match(/^.$/u) ;; '\u{1F600}'.match(/^.$/u).index ;; '\u{1F600}'.match(/^.$/) ;; 'éàü'.match(/\p{L}+/u)[0]
'αβγ'.match(/\p{Script=Greek}+/u)[0] ;; [...'a1b2'.matchAll(/[a-z](\d)/g)].map((m) => [m[0], m[1], m.index])
(r => { r.lastIndex = 1; return r.exec('ba').index })(/a/y) ;; 'aBc'.replace(/b/i, (m, i, s) => m + i + s)
'a.b.c'.split(/(\.)/) ;; 'test'.search(/s/) ;; /(\w+)\s\1/.test('hello hello') ;; /(?:a|b)+?c{2,3}/.exec('abccc')[0]
/[\u{1F600}-\u{1F64F}]/u.test('\u{1F601}') ;; /\bfoo\b/.test('a foo b') ;; /a(?=b)/.exec('ab')[0] ;; new RegExp('[')
/(a)|(b)/d.exec('xb').indices[2] ;; /[\p{L}--[a-z]]/v.test('a') //= false ;; /[\p{L}--[a-z]]/v.test('A') //= true
new RegExp('a', 'gg') ;; RegExp('\\/').source ;; new RegExp('').toString() ;; new RegExp('/\n').source ;; /ſ/iu.test('S')
/a/gimsuyd.flags ;; /(?<n>a)|(?<n>b)/.exec('b').groups.n //= 'b' ;; /(?i:a)b/.test('Ab') //= true ;; /\cA/.test('\x01')
RegExp.escape('a.b') //= '\\x61\\.b' ;; /^(?:(?=(a+))\1)+b/.test('aaab') ;; /\u{61}/u.test('a') ;; /[^]/.test('\n')
/\d{2,}?/.exec('1234')[0] ;; 'I'.match(/ı/iu) ;; 'a-b'.replaceAll(/-/, '+') ;; /(?<a>.)\k<a>/.test('aa')
'x'.matchAll(/x/) ;; 'abcabc'.split(/(?:b)/) ;; 'A-B'.split(/(-)/)
## strings
'x'.replace('x', '$$-$&-$\`-$\'') ;; 'abc'.split('') ;; 'aaa'.lastIndexOf('a', 1) ;; \`a\${1 + 1}b\${\`c\${3}\`}\` ;;
    'abc'.at(5)
String.raw\`a\n\${1}\` ;; 'abc'.at(-1) ;; 'abc'.padStart(5, '*') + 'abc'.padEnd(5) ;; 'a-b-c'.replaceAll('-', '+')
'  x '.trim() + '  y '.trimStart() + ' z  '.trimEnd() ;; 'abc'.includes('b', 2) ;; 'abc'.startsWith('b', 1)
'x'.repeat(3) ;; 'x'.repeat(-1) ;; 'abc'.codePointAt(1) ;; String.fromCodePoint(128512, 97) ;; String.fromCodePoint(-1)
'\u{1F600}'.length ;; [...'\u{1F600}a'] ;; 'é'.normalize('NFD').length ;; 'e\u0301'.normalize() ;; 'ß'.toUpperCase()
'İ'.toLowerCase().length ;; 'ΑΣ'.toLowerCase() ;; 'a\ud800'.isWellFormed() //= false ;; 'a,b'.split(',', 1)
'a\ud800'.toWellFormed() //= 'a\ufffd' ;; 'abc'.substring(2, 0) + 'abc'.substr(-2, 1) + 'abc'.slice(-2) ;; ''.split('')
'b'.localeCompare('a') ;; 'a'.localeCompare('a') ;; 'abc'.anchor('x"') ;; escape('ü€') + unescape('%u20AC')
encodeURIComponent('a b&ü/\u{1F600}') + encodeURI('a b&ü/') ;; decodeURIComponent('%F0%9F%98%80') ;; ''.split(',')
decodeURIComponent('%') ;; encodeURIComponent('\ud800') ;; 'b' > 'a' && '10' < '9' ;; 'x'.concat(1, null)
\`\${{ toString: () => 't', valueOf: () => 'v' }}\` + { toString: () => 't', valueOf: () => 'v' } ;;
    '\x41\u0042\u{43}\103'
'\u2028'.length + eval('"\u2028"').length ;; [..."ab"].map((c, i, a) => a.length) ;; [..."abc"].reverse().join('')
## collections, symbols, proxies
RegExp.prototype[Symbol.replace].call(/a/g, 'aab', 'x') ;; Array.from(new Set([1, 1, 2])) ;; Symbol() + ''
Array.isArray(new Proxy([], {})) ;; [1].concat([2], [[3]], { length: 1, 0: 4, [Symbol.isConcatSpreadable]: true })
Map.groupBy([1, 2, 3], (x) => x % 2) //= new Map([[1, [1, 3]], [0, [2]]]) ;; Symbol.iterator in [] ;; isNaN(Symbol())
typeof null + typeof undefined + typeof (() => 1) + typeof Symbol() + typeof nope ;; new Map([[NaN, 1]]).get(NaN)
Symbol('d').description + Symbol.for('k').toString() + Symbol.keyFor(Symbol.for('k')) ;; new WeakMap([[{}, 1]]).has({})
({ [Symbol.toPrimitive]: (h) => h }) + '' ;; [...new Map([[1, 'a'], [2, 'b']]).entries()] ;; new WeakSet().add(5)
(m => { const r = []; for (const [k] of m) { r.push(k); m.delete(k);
    if (k < 3) m.set(k + 1, 1) } return r })(new Map([[1, 1]]))
new Set([1, 2, 3]).union(new Set([3, 4])) //= new Set([1, 2, 3, 4]) ;; new Set([1]).isSubsetOf(new Set([1, 2])) //= true
new Set([1, 2, 3]).difference(new Set([3])) //= new Set([1, 2]) ;; new Set([1]).isDisjointFrom(new Set([2])) //= true
new Set([1, 2]).symmetricDifference(new Set([2, 3])) //= new Set([1, 3]) ;; Reflect.apply(Math.max, null, [1, 2])
new Proxy({}, { get: (t, k) => \`got \${String(k)}\` }).foo ;; new Map().set(1, 2).forEach.length
new Proxy(() => {}, { apply: (t, th, args) => args.length })(1, 2) ;; Array.from(new Map([[1, 2]]))
Reflect.ownKeys({ b: 1, 2: 1, a: 1, [Symbol('s')]: 1, 1: 1 }).map(String)
Reflect.has({ a: 1 }, 'a') && Reflect.getPrototypeOf([]) === Array.prototype
(() => { const p = Proxy.revocable({}, {}); p.revoke(); p.proxy.x })()
(() => { using x = { [Symbol.dispose]() {} }; return 1 })() //= 1
## Array
[3, 1, 2].toSorted() //= [1, 2, 3] ;; [1, 2, 3].toReversed() //= [3, 2, 1] ;; [1, 2, 3].with(1, 9) //= [1, 9, 3]
[1, 2, 3].toSpliced(1, 1, 'x', 'y') //= [1, 'x', 'y', 3] ;; [1, 2, 3].with(9, 9) //= (() => { throw new RangeError })()
[1, 2, 3].at(-1) ;; [1, 2, 3, 4].findLast((x) => x % 2) ;; [1, 2, 3, 4].findLastIndex((x) => x > 9) ;; [NaN].indexOf(NaN)
[[1, [2]], 3].flat() ;; [[1, [2, [3]]]].flat(Infinity) ;; [1, 2, 3].includes(NaN) ;; [NaN].includes(NaN) ;; Array.of(7)
[1, , 3].map((x) => x * 2) ;; Array.from({ length: 3 }, (_, i) => i * i) ;; Array.from('a\u{1F600}b') ;; new Array(3)
[1, 2, 3, 4, 5].copyWithin(0, 3) ;; [3, 1, 10, 2].sort() ;; [3, 1, 10, 2].sort((a, b) => a - b) ;; [].reduce((a, b) => a)
[undefined, 3, , 1].sort() ;; [1, 2, 3].reduceRight((a, b) => a + '-' + b) ;; [1, 2, 3].fill(0, 1) ;; new Array(-1)
[{ k: 1, v: 'a' }, { k: 0, v: 'b' }, { k: 1, v: 'c' }].sort((a, b) => a.k - b.k).map((x) => x.v).join('') ;; [] == false
[1, 2, 3, 4].splice(1, 2) ;; [1, [2, 3]].toString() ;; [null, undefined, 1].join() ;; [...[1, 2].entries()] ;; [[]] + ''
[1, 2, 3].lastIndexOf(3, -5) ;; [1, 2, 3].length = -1 ;; Array.prototype.concat.call(1, 2) ;; [] + {} + [1] + null
[1,2,3].concat([4,5]).indexOf(4) ;; [5, 25, 100].sort() ;; ['b', , 'a', undefined].sort() ;; [1, 2, 3].join(undefined)
[Math.sin(1e22), Math.tan(1.5), Math.exp(10), Math.log(10), Math.pow(1.1, 10), Math.cosh(2), Math.asinh(1),
    Math.acosh(2), Math.atanh(0.5)].map((x) => x.toPrecision(13))
[Math.sin(0.5), Math.cos(0.5), Math.asin(0.5), Math.acos(0.5), Math.atan(0.5), Math.cbrt(2), Math.expm1(1),
    Math.log1p(1), Math.log2(3), Math.log10(2)].map((x) => x.toPrecision(13))
Array(3).join('-') ;; Array.from({ length: 2, 0: 'x' })
## typed arrays and buffers
new Uint8Array([1, 256, -1, 1.7]) ;; new Uint8ClampedArray([300, -5, 1.5]) ;; Float32Array.of(1.1)[0]
new Int16Array(new Uint8Array([1, 2, 3, 4]).buffer) ;; new Float64Array([1, 2, 3]).subarray(1).map((x) => x * 2)
Uint8Array.from('123') ;; new Uint8Array([3, 1, 2]).sort() ;; new Uint8Array(3).set([1, 2], 2)
new Uint8Array([3, 1, 2]).toSorted() //= new Uint8Array([1, 2, 3]) ;; new Uint8Array([1, 2]).at(-1)
(a => { a.set([1, 2], 1); return a })(new Uint8Array(3)) ;; new DataView(new ArrayBuffer(8)).getFloat64(0)
(d => { d.setInt32(0, -2, true); return d.getUint32(0) })(new DataView(new ArrayBuffer(4))) ;; typeof SharedArrayBuffer
new DataView(new ArrayBuffer(1)).getInt16(0) ;; new ArrayBuffer(8).slice(2, 5).byteLength
new ArrayBuffer(8, { maxByteLength: 16 }).resizable //= true ;; new Float16Array([1.1])[0] //= 1.099609375
(b => { b.resize(12); return b.byteLength })(new ArrayBuffer(8, { maxByteLength: 16 })) //= 12
(b => { const c = b.transfer(); return [b.detached, c.byteLength] })(new ArrayBuffer(8)) //= [true, 8]
Uint8Array.fromHex('ff00') //= new Uint8Array([255, 0]) ;; new Uint8Array([255, 0]).toBase64() //= '/wA='
## iterator helpers
[1, 2, 3].values().map((x) => x * 2).toArray() //= [2, 4, 6] ;; [1, 2].values().some((x) => x > 1) //= true
[1, 2, 3, 4].values().filter((x) => x % 2).drop(1).take(1).toArray() //= [3]
Iterator.from([1, 2]).reduce((a, b) => a + b) //= 3 ;; [...[1, 2].keys().flatMap((x) => [x, x])] //= [0, 0, 1, 1]
Iterator.from({ next() { return { done: true } } }).toArray() //= []
## URLSearchParams from an object, pairs, an iterable
new URLSearchParams({ a: 1, b: 'x y' }).toString() ;; new URLSearchParams([['a', '1'], ['a', '2']]).toString()
new URLSearchParams(new Map([['k', 'v']])).toString() ;; new URLSearchParams(new URLSearchParams('q=1')).toString()
new URLSearchParams([['a']]) ;; new URLSearchParams({ 'ä': '\u{1F600}' }).toString()
new URLSearchParams(5).toString() ;; new URLSearchParams([1]) ;; new URLSearchParams(['ab']) ;; new URLSearchParams([null])
new URLSearchParams({ [Symbol.iterator]: 5 }) ;; new URLSearchParams({ [Symbol()]: 5 }) ;; new URLSearchParams(Symbol())
new URLSearchParams(() => 1).toString() ;; new URLSearchParams({ '\ud800': 1, '\udc00': 2 }).toString()
new URLSearchParams((function* () { yield ['a', 1]; yield new Set(['b', 2]) })()).toString()
new URLSearchParams(Object.create({ a: 1 }, { b: { value: 2, enumerable: true }, c: { value: 3 } })).toString()
class XP extends URLSearchParams { first() { return [...this][0] } }; [new XP({ a: 1 }).first(),
    new XP() instanceof URLSearchParams, XP.name]
## URLSearchParams: bytes that are no UTF-8, lone surrogates
new URLSearchParams('a=%ff').get('a') ;; new URLSearchParams('a=%ff').toString() ;; new URLSearchParams('a=\ud800').toString()
new URLSearchParams('a%=%4+%zz&c=%C3%28').toString() ;; new URLSearchParams('\ufeffa=%EF%BB%BFb').get('\ufeffa').length
new URLSearchParams({ a: String.fromCharCode(...Array(256).keys()) }).toString() ;; new URL('http://a/?%EF%BB%BF').search
(p => { p.append('\udc00', 'x\ud800y'); return [...p, p.has('\ufffd'), p.get('\udfff')] })(new URLSearchParams())
## URLSearchParams: missing arguments
new URLSearchParams().append('x') ;; new URLSearchParams().get() ;; new URLSearchParams().set('x')
new URLSearchParams().delete() ;; new URLSearchParams().has() ;; new URLSearchParams().getAll() ;; new URLSearchParams().forEach()
URLSearchParams.prototype.append.call({}, 1, 2) ;; URLSearchParams.prototype.size ;; new URLSearchParams().append(Symbol(), 1)
new URLSearchParams().entries().next.call({}) ;; new URLSearchParams('a=1').has('a', undefined)
## URLSearchParams: iteration is live
(p => { const r = []; for (const [k] of p) { r.push(k); if (r.length < 4) p.append('n' + r.length, '') } return r })(
    new URLSearchParams('a'))
(p => { const r = []; p.forEach((v, k) => { r.push(k); p.delete('b') }); return r })(new URLSearchParams('a&b&c'))
(u => { const r = []; for (const [k] of u.searchParams) { r.push(k); u.search = '?x&y&z' } return r })(new URL('http://a/?a&b'))
(p => [Object.prototype.toString.call(p), typeof p.map, Reflect.has(p, 'constructor') && p.constructor === Object,
    Object.keys(Object.getPrototypeOf(p))])(new URLSearchParams().keys()) //= ['[object URLSearchParams Iterator]', 'function',
    false, ['next']]
Object.keys(URLSearchParams.prototype).sort() ;; (p => { p.sort(); return [...p] })(new URLSearchParams('b=1&a=2&b=0&a=1'))
(p => { p.set('b', 9); p.set('d', 8); return [...p] })(new URLSearchParams('a&b&c&b'))
## structuredClone: what cannot be cloned
structuredClone(new WeakMap()) ;; structuredClone(new WeakSet()) ;; structuredClone(Object(Symbol()))
structuredClone((function* () {})()) ;; structuredClone(new WeakRef({})) ;; structuredClone(new Map().entries())
structuredClone([].values()) ;; structuredClone((async function* () {})()) ;; structuredClone('a'.matchAll(/a/g))
structuredClone(new FinalizationRegistry(() => {})) ;; structuredClone([1, [Symbol()]]) ;; structuredClone(class {})
structuredClone(Object.create(Map.prototype)) ;; structuredClone(Object.create(Promise.prototype)) ;; new structuredClone(1)
structuredClone(Object.create(Error.prototype)) ;; structuredClone(Object.create(Date.prototype)) ;; structuredClone(Map.prototype)
structuredClone(new Proxy(new Map(), {})) ;; structuredClone(Proxy.revocable([], (() => {})).proxy)
(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return structuredClone([proxy]) })()
structuredClone(new SharedArrayBuffer(4)) //= (() => { throw new DOMException('', 'DataCloneError') })()
## structuredClone: wrapped primitives
structuredClone(Object(1n)) ;; structuredClone(Object('s')) ;; structuredClone(Object(true)) ;; structuredClone(Object(5))
structuredClone(Object.assign(new Number(-0), { x: 1 })) ;; structuredClone(new (class S extends String {})('q'))
## structuredClone: a property named __proto__
structuredClone({ ['__proto__']: 1 }) ;; structuredClone({ ['__proto__']: { x: 1 } }).x
((o) => [Object.keys(o), Object.getPrototypeOf(o) === Object.prototype])(
    structuredClone(JSON.parse('{"__proto__":[1],"toString":2}')))
((o) => Object.getOwnPropertyDescriptors(o))(structuredClone(Object.freeze({ valueOf: 1, a: 2 })))
structuredClone({ get a() { delete this.b; return 1 }, b: 2, c: 3 })
## structuredClone: errors
(e => [e.name, e.message, e.x, Object.keys(e), e.stack === 'here'])(structuredClone(Object.assign(new Error('m'),
    { name: 'Foo', x: 1, stack: 'here' })))
(e => [e.name, e instanceof RangeError])(structuredClone(new (class extends RangeError {})('q'))) ;; (e => [e.message,
    Object.hasOwn(e, 'message')])(structuredClone(new Error())) ;; typeof structuredClone(new Error('m')).stack
(e => [e.cause.a === e.cause, Object.keys(e)])(structuredClone(new Error('m', { cause: (o => o.a = o)({}) }))) //= [true, []]
(e => structuredClone(e).stack === e.stack)(new Error('m'))
## structuredClone: arrays keep their length and other properties
structuredClone(new Array(3)) ;; structuredClone([1, , ,]) ;; structuredClone(Object.assign([1, 2], { extra: 3 }))
structuredClone(Object.assign([, , 1], { length: 5, '-1': 'x' })) ;; structuredClone(new (class A extends Array {})(1, 2))
(a => { a.push(a); return structuredClone(a)[1][1].length })([1])
## structuredClone: buffers stay shared, and can be transferred
(() => { const b = new ArrayBuffer(4); const { x, y } = structuredClone({ x: new Uint8Array(b), y: new Uint16Array(b) });
    return x.buffer === y.buffer })()
(() => { const b = new ArrayBuffer(8); const c = structuredClone(b, { transfer: [b] }); return [b.byteLength, c.byteLength] })()
(() => { const b = new ArrayBuffer(1); return structuredClone(b, { transfer: [b, b] }) })() ;; structuredClone(1, 5)
(() => { const b = new ArrayBuffer(1); try { structuredClone([b, () => 1], { transfer: [b] }) } catch {}
    return b.byteLength })()
(() => { const a = new Uint8Array([1, 2]); return [structuredClone(a, { transfer: [a.buffer] }), a.length] })()
(() => { const b = new ArrayBuffer(1); structuredClone(0, { transfer: [b] }); return structuredClone(b) })()
structuredClone(1, null) ;; structuredClone(1, { transfer: null }) ;; structuredClone(1, { transfer: 5 })
structuredClone(1, { transfer: [5] }) ;; structuredClone(1, { transfer: [{}] })
(() => { const { a, v } = structuredClone((b => ({ a: new Uint8Array(b, 1, 2), v: new DataView(b, 2) }))(new ArrayBuffer(4)));
    a[1] = 7; return [v.getUint8(0), a.byteOffset, a.buffer.byteLength, v.byteLength] })()
structuredClone(new ArrayBuffer(8, { maxByteLength: 16 })).maxByteLength //= 16
## structuredClone: Map and Set
structuredClone(Object.assign(new Map([[1, 2]]), { x: 1 })).x ;; (m => { m.set(m, m); const c = structuredClone(m);
    return [c.get(c) === c, c.size] })(new Map()) ;; (s => { s.add(s); const c = structuredClone(s); return c.has(c) })(new Set())
(m => { m.set('a', { get x() { m.set('z', 1); return 1 } }); return structuredClone(m).size })(new Map())
## platform objects have their names
Object.prototype.toString.call(new URL('http://a')) ;; Object.prototype.toString.call(new URLSearchParams())
Object.prototype.toString.call(new TextEncoder()) ;; Object.prototype.toString.call(new TextDecoder())
Object.prototype.toString.call(performance) ;; Object.prototype.toString.call(crypto) //= '[object Crypto]'
Object.prototype.toString.call(URL.prototype) ;; Object.prototype.toString.call(console)
Object.getOwnPropertyDescriptor(URL.prototype, Symbol.toStringTag)
## crypto.getRandomValues
crypto.getRandomValues() ;; crypto.getRandomValues({}) ;; crypto.getRandomValues([])
crypto.getRandomValues(undefined) //= (() => { throw new TypeError() })() ;; crypto.getRandomValues(new Float32Array(1))
crypto.getRandomValues(new DataView(new ArrayBuffer(1))) ;; crypto.getRandomValues(new Uint8Array(65537))
crypto.getRandomValues(new BigInt64Array(2)).length
## atob and btoa without an argument
atob() ;; btoa()
`;

for (const { title, cases } of sections(corpus)) test(title, () => compare(cases));

// Where we are known to differ from the standards. A line that passes moves up.
const faults = String.raw`
## spreading a string into an object
({ ...'xy' })
## a WeakRef's target lives at least as long as the job that made it
new WeakRef({ a: 1 }).deref().a
## performance.timeOrigin
Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 1000
`;

for (const { title, cases } of sections(faults)) test(title, { todo: true }, () => compare(cases));

test('what is absent, as neocompute(1) says', () => {
  const absent = ['Intl', 'Atomics', 'WebAssembly', 'require', 'process',
    'Buffer', 'Worker',
    'std', 'os', 'host'];
  assert.deepEqual(output('const main = (names) => names.filter((name) => name in globalThis);',
    ['--input', JSON.stringify(absent)]), { result: [] });
  assert.deepEqual(output('const main = () => [typeof import.meta];export {main}'), { result: ['object'] });
});

test('text of dates and numbers does not depend on a locale or time zone', () => {
  const script = `const main = () => [String(new Date(0)), new Date(2024, 6, 1).getTimezoneOffset(), (1234567.891).toLocaleString(),
    ['b', 'a', 'C'].sort((a, b) => a.localeCompare(b))];`;
  const expected = { result: ['Thu Jan 01 1970 00:00:00 GMT+0000', 0, '1234567.891', ['C', 'a', 'b']] };
  for (const TZ of ['UTC', 'America/New_York'])
    assert.deepEqual(output(script, [], { env: { TZ, LANG: 'de_DE.UTF-8' } }), expected);
});

// script, input, entry, output
const modules = [
  ['export default function (i) { return i }', 1, 'main', 1],
  ['export default function main(i) { return i }', 2, 'main', 2],
  ['export default (i) => i', 3, 'main', 3],
  ['export default async (i) => { await null; return i }', 4, 'main', 4],
  ['export default async function (i) { return i }', 5, 'main', 5],
  ['export function main(i) { return i }', 6, 'main', 6],
  ['export async function main(i) { return i }', 7, 'main', 7],
  ['export const main = (i) => i', 8, 'main', 8],
  ['const f = (i) => i; export { f as main }', 9, 'main', 9],
  ['const f = (i) => i; export { f as default }', 10, 'main', 10],
  ['const f = (i) => i; export { f as "my entry" }', 11, 'my entry', 11],
  ['export default () => "default"; export const main = () => "named"', 0, 'main', 'named'],
  ['export default () => "default"; export const other = () => "named"', 0, 'other', 'named'],
  ['export default () => "default"; export const other = () => "named"', 0, 'main', 'default'],
  ['const x = await Promise.resolve(12); export const main = () => x', 0, 'main', 12],
  ['export let count = 1; export const main = () => { count++; return count }', 0, 'main', 2],
  ['export const main = () => this === undefined', 0, 'main', true],
  ['export const main = (i, s) => [i === input, s === secrets, typeof globalThis.main]', 0, 'main',
    [true, true, 'undefined']],
  ['export function 日本() { return 13 }', 0, '日本', 13],
];

for (const [script, input, entry, expected] of modules) {
  test(`module: ${script}`, () => {
    assert.deepEqual(output(script, ['--input', JSON.stringify(input), '--entry', entry]), { result: expected });
  });
}

test('a module without the entry point, or whose entry point is no function', () => {
  for (const script of ['export const other = () => 1', 'export const main = 5', 'export default 5',
    'export {}; function main() {}']) {
    const { exit, error, error_code } = record(script);
    assert.deepEqual([exit, error, error_code], [1, "entry point 'main' is not a function", 'entry_not_found'], script);
  }
});

test('a class is no entry point', () => {
  for (const script of ['export default class {}', 'class main {}']) {
    const { exit, error } = record(script);
    assert.equal(exit, 1);
    assert.match(error, /^execution error: TypeError: /);
  }
});

test('no module can be imported', () => {
  for (const script of ['import x from "fs"; export const main = () => 1', 'import "./x.js"; export const main = () => 1',
    'export { main } from "./x.js"', 'export const main = () => import("fs")',
    'const main = () => import("data:text/javascript,1")']) {
    const { status, stderr, stdout } = run(script);
    assert.deepEqual([status, stdout], [1, ''], script);
    assert.match(stderr, /could not load module '/);
  }
  assert.deepEqual(output('const main = () => import("fs").catch((error) => error.name)'), { result: 'ReferenceError' });
});

// ---- crypto.subtle: Mbed TLS in the guest, against Node's ----

const subtle = (body) => `async function main() {
  const bytes = (text) => new TextEncoder().encode(text), s = crypto.subtle;
  const hex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, '0')).join('');
  ${body}
}`;
const subtleCases = [
  ['digests', "const o = {}; for (const h of ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512']) o[h] = hex(await s.digest(h, bytes('abc'))); return o;"],
  ['HMAC', "const k = await s.importKey('raw', bytes('key'), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']), m = await s.sign('HMAC', k, bytes('m')); return { mac: hex(m), good: await s.verify('HMAC', k, m, bytes('m')), bad: await s.verify('HMAC', k, m, bytes('n')) };"],
  ['AES-GCM', "const k = await s.importKey('raw', new Uint8Array(32).fill(7), 'AES-GCM', false, ['encrypt', 'decrypt']), p = { name: 'AES-GCM', iv: new Uint8Array(12) }, c = await s.encrypt(p, k, bytes('hello')); let changed = 'opened'; try { await s.decrypt(p, k, new Uint8Array(c).slice().fill(1)); } catch { changed = 'refused'; } return { c: hex(c), d: new TextDecoder().decode(await s.decrypt(p, k, c)), changed };"],
  ['PBKDF2 and HKDF', "const p = await s.importKey('raw', bytes('password'), 'PBKDF2', false, ['deriveBits']), h = await s.importKey('raw', bytes('ikm'), 'HKDF', false, ['deriveBits']); return { p: hex(await s.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt: bytes('salt'), iterations: 100 }, p, 128)), h: hex(await s.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: bytes('salt'), info: bytes('info') }, h, 128)) };"],
  ['ECDSA', "const k = await s.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']), a = { name: 'ECDSA', hash: 'SHA-256' }, m = await s.sign(a, k.privateKey, bytes('m')); return { length: m.byteLength, good: await s.verify(a, k.publicKey, m, bytes('m')), bad: await s.verify(a, k.publicKey, m, bytes('n')) };"],
];
for (const [name, body] of subtleCases) {
  test(`crypto.subtle: ${name}`, async () => {
    const here = await new Function('crypto', `${subtle(body)}; return main()`)(webcrypto);
    assert.deepEqual(output(subtle(body)), here);
  });
}

test('crypto.subtle: keys are not made at build time', () => {
  const script = subtle("const k = await s.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt']); return { k: hex(await s.exportKey('raw', k)) };");
  assert.notDeepEqual(output(script), output(script));
  assert.deepEqual(output(script, ['--deterministic']), output(script, ['--deterministic']));
});
