// what: a module whose loading fails
// expect: failed script_error
// error: Error: load
export function main() { return 1; }
await Promise.reject(new Error('load'));
