// what: 2 ** 40 leaves out of forty arrays
// options: --timeout 0.5
// expect: failed timeout|out_of_memory
function main() {
  let tree = 1;
  for (let i = 0; i < 40; i++) tree = [tree, tree];
  return tree;
}
