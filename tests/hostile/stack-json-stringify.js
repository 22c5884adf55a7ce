// what: toJSON that nests without end
// options: --timeout 0.5 --memory 64
// expect: failed output_invalid|timeout|out_of_memory
function main() { return { toJSON() { return { a: { toJSON: this.toJSON } }; } }; }
