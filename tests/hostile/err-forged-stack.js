// what: a stack that claims impossible places
// expect: failed execution_error
function main() { throw Object.assign(new Error('x'), { stack: '    at f (script.js:99999999999999999999:-5)\n    at <prelude>:1:1\n:::(((' }); }
