// what: throws a function whose text is a trap
// expect: failed execution_error
function main() { throw Object.assign(() => {}, { toString() { throw 'no'; } }); }
