// what: a timer that throws: nobody else would hear of it
// expect: failed execution_error
// error: Error: from a timer
function main() { setTimeout(() => { throw new Error('from a timer'); }, 1); return new Promise(() => {}); }
