// what: logs for ever: 100 entries are kept, the rest costs no memory
// options: --timeout 0.3
// expect: failed timeout
// logs: 100
function main() { for (;;) console.log('x'.repeat(100)); }
