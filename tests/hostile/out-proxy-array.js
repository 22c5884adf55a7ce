// what: a proxy of an array is an array, whose length may be anything
// expect: completed
// output: {"result":["0","1",null]}
function main() {
  return new Proxy([], { get: (target, key) => ({ length: 3, 0: '0', 1: '1' })[key] });
}
