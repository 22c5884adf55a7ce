// what: the script throws before it has an entry point
// expect: failed script_error
// error: script error: Error: early
throw new Error('early');
