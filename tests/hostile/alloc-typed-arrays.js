// what: buffers of a megabyte, all kept
// options: --memory 32
// expect: failed out_of_memory
function main() { for (const all = []; ;) all.push(new Float64Array(1 << 17)); }
