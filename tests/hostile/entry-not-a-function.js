// what: main is there, but no function
// expect: failed entry_not_found
// error: entry point 'main' is not a function
var main = { call() { return 1; }, apply() { return 2; } };
