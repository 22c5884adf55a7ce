// what: the same, uncaught
// expect: failed execution_error
// error: RangeError: Maximum call stack size exceeded
function main() { return main() + 1; }
