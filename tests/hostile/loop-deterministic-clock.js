// what: waits for a clock that stands still
// options: --timeout 0.3 --deterministic
// expect: failed timeout
function main() { while (Date.now() < 1 || performance.now() < 1); }
