// what: stacks that are made by the script: wrong types, throwing, huge
// expect: failed execution_error
// error: Error: last
let n = 0;
Error.prepareStackTrace = (error, frames) => { if (n++ % 2) throw frames; return { frames, toString() { throw 1; } }; };
function main() {
  for (let i = 0; i < 10; i++) try { null.x; } catch (error) { console.log(error, error.stack); }
  throw new Error('last');
}
