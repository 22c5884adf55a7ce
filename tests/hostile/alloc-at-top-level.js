// what: fills the memory to the last byte before its entry point is called
// options: --memory 16
// expect: failed out_of_memory
const all = [];
try { for (;;) all.push(new Array(100).fill(1)); } catch {}
try { for (;;) all.push({}); } catch {}
try { for (;;) all.push(1); } catch {}
function main() { return 1; }
