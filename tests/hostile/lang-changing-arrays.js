// what: natives whose array shrinks, grows and vanishes under them
// expect: completed
// output: {"done":true}
function main() {
  const shrink = (a) => ({ valueOf() { a.length = 0; return 1; }, toString() { a.length = 0; return ','; } });
  const methods = ['at', 'copyWithin', 'fill', 'flat', 'includes', 'indexOf', 'join', 'lastIndexOf', 'slice', 'splice', 'toSpliced', 'with'];
  for (const name of methods) {
    for (let i = 0; i < 3; i++) {
      const a = new Array(1000).fill({}), list = [5, 5, 5];
      list[i] = shrink(a);
      try { a[name](...list); } catch {}
    }
  }
  for (const name of ['map', 'filter', 'forEach', 'some', 'find', 'findLast', 'reduce', 'reduceRight', 'flatMap', 'sort', 'toSorted']) {
    const a = [5, 4, 3, 2, 1];
    a[name](() => { a.length = a.length ? 0 : 100; a.push({}, []); return 0; });
  }
  return { done: true };
}
