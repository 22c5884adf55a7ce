// what: each closure holds the one before
// options: --memory 32
// expect: failed out_of_memory
// bug: with memory full the engine throws null: reported as execution_error "null" (src/engine/engine.c, fail)
function main() { for (let f = null; ;) { const g = f; f = () => g; } }
