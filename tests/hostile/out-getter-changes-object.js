// what: the first accessor deletes and adds what comes after it
// expect: completed
// output: {"a":1,"c":3}
function main() {
  return { get a() { delete this.b; this.d = 4; return 1; }, b: 2, c: 3 };
}
