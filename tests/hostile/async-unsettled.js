// what: a promise that nothing can settle
// expect: failed unsettled
// error: can never settle
function main() { return new Promise(() => {}); }
