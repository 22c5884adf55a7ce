// what: 2,000,000 objects out of 8 MB of text
// options: --memory 32
// expect: failed out_of_memory
function main() { return JSON.parse(`[${'{},'.repeat(2e6)}{}]`).length; }
