// what: the engine's own words for an interruption, thrown by the script
// expect: failed execution_error
// error: InternalError: interrupted
function main() { throw new InternalError('interrupted'); }
