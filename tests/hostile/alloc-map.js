// what: a map that grows for ever
// options: --memory 32
// expect: failed out_of_memory
// bug: with memory full the engine throws null: reported as execution_error "null" (src/engine/engine.c, fail)
function main() { for (const map = new Map(); ;) map.set(map.size, {}); }
