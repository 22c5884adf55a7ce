// what: call sites hand out functions of the prelude: calling these must give nothing more than console does
// expect: completed
// output: {"ok":true}
const seen = new Set();
Error.prepareStackTrace = (error, frames) => { frames.forEach((frame) => seen.add(frame.getFunction())); return ''; };
function main() {
  console.log(Object.create(Map.prototype));
  crypto.sha256({ toString() { new Error().stack; return ''; } });
  for (const f of seen) if (typeof f === 'function' && f !== main) try { f({}, {}, {}, {}); f(); f(1e9, 1e9, 1e9); } catch {}
  return { ok: true };
}
