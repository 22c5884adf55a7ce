// what: generators that resume, close and throw into themselves
// expect: completed
// output: {"result":["TypeError","TypeError","TypeError",3]}
function main() {
  let g;
  const attempts = [() => { g = (function* () { yield g.next(); })(); return g.next(); }, () => { g = (function* () { yield g.return(1); })(); return g.next(); },
    () => { g = (function* () { yield g.throw(1); })(); return g.next(); },
    () => { g = (function* () { try { yield 1; } finally { yield 2; return 3; } })(); g.next(); g.return(9); return g.next().value; }];
  return attempts.map((attempt) => { try { return attempt(); } catch (error) { return error.name; } });
}
