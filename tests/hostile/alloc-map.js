// what: a map that grows for ever
// options: --memory 32
// expect: failed out_of_memory
function main() { for (const map = new Map(); ;) map.set(map.size, {}); }
