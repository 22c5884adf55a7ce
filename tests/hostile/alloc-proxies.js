// what: each proxy holds the one before
// options: --memory 32
// expect: failed out_of_memory
function main() { for (let proxy = {}; ;) proxy = new Proxy(proxy, { proxy }); }
