// what: a proxy of a function, whose trap sees the call
// expect: completed
// output: {"arguments":2,"this":"undefined"}
const main = new Proxy(() => {}, { apply: (target, self, all) => ({ this: typeof self, arguments: all.length }) });
