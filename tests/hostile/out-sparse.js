// what: 4,294,967,295 holes would be twenty gigabytes of null
// options: --timeout 0.5
// expect: failed timeout|out_of_memory
function main() {
  const a = [];
  a[2 ** 32 - 2] = 1;
  return a;
}
