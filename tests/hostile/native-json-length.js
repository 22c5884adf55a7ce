// what: a proxy's length makes JSON.stringify write an array without end
// options: --timeout 0.5
// expect: failed timeout|out_of_memory
function main() { return new Proxy([], { get: (target, key) => (key === 'length' ? 2 ** 53 - 1 : 1) }); }
