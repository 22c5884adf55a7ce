// what: a megabyte of value, gigabytes of indentation
// options: --memory 32
// expect: failed out_of_memory
function main() {
  let value = 1;
  for (let i = 0; i < 4000; i++) value = [value, value.length];
  return JSON.stringify([value, value, value], null, '          ').length;
}
