// what: a script that only says that it is out of memory is not believed
// expect: failed execution_error
// error: InternalError: out of memory
function main() { throw new InternalError('out of memory'); }
