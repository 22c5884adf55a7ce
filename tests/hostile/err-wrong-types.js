// what: name, message and stack are a symbol, an object and a number
// expect: failed execution_error
function main() { throw Object.assign(new Error('x'), { name: Symbol('n'), message: {}, stack: 5 }); }
