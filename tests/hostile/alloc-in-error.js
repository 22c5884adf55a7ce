// what: the message of the error fills the memory
// options: --memory 32
// expect: failed out_of_memory|execution_error
function main() {
  throw { name: 'Error', get message() { for (const all = []; ;) all.push(new Array(1000).fill(1)); } };
}
