// what: then is an accessor that throws
// expect: failed execution_error
// error: Error: then
async function main() { return { get then() { throw new Error('then'); } }; }
