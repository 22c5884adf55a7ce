// what: more timers than there may be
// expect: completed
// output: {"error":"RangeError: too many timers (max 1000)","set":1000}
function main() {
  let set = 0;
  try { for (;;) { setTimeout(() => {}, 1e6); set++; } } catch (error) { return { set, error: String(error) }; }
}
