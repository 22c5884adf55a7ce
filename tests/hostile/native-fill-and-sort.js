// what: 100,000,000 elements, filled and sorted: gigabytes and seconds elsewhere
// options: --timeout 5
// expect: failed out_of_memory
function main() { return new Array(1e8).fill(1).sort((a, b) => a - b).length; }
