// what: every method that fetch, timers and headers might use is replaced before they are used
// expect: completed
// output: {"code":"fetch_unavailable","header":"1, 2","ran":0}
const entries = Object.entries, getPromise = (p, f) => p.catch(f);
let ran = 0;
const victims = [Map, String, RegExp, URL, URLSearchParams, Headers, Request, AbortSignal, TextEncoder, Uint8Array.__proto__, ArrayBuffer, Array];
const work = [];
for (let i = 0; i < victims.length; i++) work[i] = [victims[i].prototype, Reflect.ownKeys(victims[i].prototype)];
const { getOwnPropertyDescriptor } = Object;
for (let i = 0; i < work.length; i++) {
  for (let j = 0; j < work[i][1].length; j++) {
    const key = work[i][1][j], property = getOwnPropertyDescriptor(work[i][0], key);
    if (typeof property.value !== 'function' || key === 'constructor' || (victims[i] === Headers && key === 'get')) continue;
    work[i][0][key] = function () { ran++; throw new Error('tampered'); };
  }
}
performance.now = () => { ran++; return NaN; };
async function main() {
  const headers = new Headers({ a: '1', A: '2' });
  let code = '';
  await getPromise(fetch('https://example.com/', { method: 'POST', body: new URLSearchParams({ a: 1 }), headers }), (e) => { code = e.code; });
  await new Promise((resolve) => setTimeout(resolve, 1));
  return { code, header: headers.get('a'), ran };
}
