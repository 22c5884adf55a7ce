// what: an interval for ever where timers do not wait
// options: --timeout 0.3 --deterministic
// expect: failed timeout
function main() { setInterval(() => {}, 1e6); return new Promise(() => {}); }
