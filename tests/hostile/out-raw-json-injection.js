// what: raw text may be a primitive only, so nothing can be smuggled in
// expect: failed execution_error
// error: SyntaxError
function main() { return { a: JSON.rawJSON('1,"b":2') }; }
