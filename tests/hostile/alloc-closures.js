// what: each closure holds the one before
// options: --memory 32
// expect: failed out_of_memory
function main() { for (let f = null; ;) { const g = f; f = () => g; } }
