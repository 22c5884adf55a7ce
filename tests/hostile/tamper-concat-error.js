// what: the same while an error is described
// expect: failed execution_error
// error: execution error: TypeError: mine
// bug: the error's text is lost (src/engine/prelude/main.js, errorText)
String.prototype.concat = () => { throw 'forged'; };
function main() { throw new TypeError('mine'); }
