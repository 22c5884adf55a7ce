// what: 2,000,000 objects out of 8 MB of text
// options: --memory 32
// expect: failed out_of_memory
// bug: with memory full the engine throws null: reported as execution_error "null" (src/engine/engine.c, fail)
function main() { return JSON.parse(`[${'{},'.repeat(2e6)}{}]`).length; }
