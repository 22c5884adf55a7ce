// what: exports that have no value yet, at the time they are looked at
// expect: completed
// output: {"result":"ReferenceError"}
export function main() {
  try { return late; } catch (error) { return error.name; }
}
export default main;
if (false) var never;
await 0;
main();
export let late = main();
