// what: the same while an error is described
// expect: failed execution_error
// error: execution error: TypeError: mine
String.prototype.concat = () => { throw 'forged'; };
function main() { throw new TypeError('mine'); }
