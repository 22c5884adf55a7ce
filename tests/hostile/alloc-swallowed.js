// what: runs out of memory, catches it, lets go and goes on: allowed
// options: --memory 32
// expect: completed
// output: {"result":"alive"}
function main() {
  try { for (const all = []; ;) all.push(new Array(1000).fill(1)); } catch (error) { if (error.message !== 'out of memory') throw error; }
  return 'alive';
}
