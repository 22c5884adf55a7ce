// what: an async function that awaits itself
// expect: failed execution_error
// error: RangeError
async function main() { return await main(); }
