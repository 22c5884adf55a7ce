// what: properties of the global object
// options: --memory 32
// expect: failed out_of_memory
function main() { for (let i = 0; ; i++) globalThis[`property${i}`] = i; }
