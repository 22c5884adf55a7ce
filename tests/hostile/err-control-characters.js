// what: NUL and line ends in name and message
// expect: failed execution_error
// error: "A\u0000B: \n\u001b[31m"
function main() { throw { name: 'A\0B', message: '\n\x1b[31m' }; }
