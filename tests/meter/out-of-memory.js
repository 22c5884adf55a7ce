// Where memory ends must not depend on the build either.
function main() {
  const all = [];
  try { for (;;) all.push(new Array(1000).fill(all.length)); } catch (e) { return [all.length, e.message]; }
}
