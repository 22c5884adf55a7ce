// what: importing at run time is a rejection like any other
// expect: completed
// output: {"refused":["std","os","qjs:std","node:fs","./x.js","","\u0000","data:text/javascript,1","file:///etc/passwd"]}
async function main() {
  const refused = [];
  for (const name of ['std', 'os', 'qjs:std', 'node:fs', './x.js', '', '\0', 'data:text/javascript,1', 'file:///etc/passwd']) {
    try { await import(name); } catch { refused.push(name); }
  }
  return { refused };
}
