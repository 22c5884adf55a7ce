// what: the limit of frames is an object, negative, endless
// expect: failed execution_error
// error: Error: x
function main() {
  for (const limit of [NaN, -1, Infinity, 2 ** 31, { valueOf: () => 5 }, Symbol(), null, '7']) {
    Error.stackTraceLimit = limit;
    try { (function f(n) { if (n > 0) f(n - 1); else throw new Error('x'); })(100); } catch (error) { console.log(typeof error.stack); }
  }
  throw new Error('x');
}
