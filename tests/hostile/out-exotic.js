// what: what JSON makes of objects that are not plain
// expect: completed
// output: {"arguments":{"0":1},"boxed":[1,"a",true],"buffer":{},"date":"1970-01-01T00:00:00.000Z","error":{},"invalid":null,"map":{},"promise":{},"regex":{},"typed":{"0":7},"weak":{}}
function main() {
  return {
    map: new Map([[1, 2]]), weak: new WeakRef({}), regex: /x/, error: new Error('x'), promise: Promise.reject(1), typed: new Uint8Array([7]),
    buffer: new ArrayBuffer(3), date: new Date(0), invalid: new Date(NaN), boxed: [new Number(1), new String('a'), new Boolean(true)],
    arguments: (function () { return arguments; })(1), undefined, symbol: Symbol(), f() {},
  };
}
