// what: every turn of the loop is a job of its own
// options: --timeout 0.3
// expect: failed timeout
async function main() { for (;;) await 0; }
