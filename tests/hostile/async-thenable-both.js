// what: a thenable that resolves, rejects, resolves again and throws: the first counts
// expect: completed
// output: {"first":1}
async function main() {
  return { then(resolve, reject) { resolve({ first: 1 }); reject(2); resolve(3); throw 4; } };
}
