// what: callers' functions and arguments are not handed out
// expect: completed
// output: {"result":["undefined","TypeError"]}
function main() {
  const attempts = [() => typeof main.caller, () => { 'use strict'; return (function () { return arguments.callee; })(); }];
  return attempts.map((attempt) => { try { return attempt(); } catch (error) { return error.name; } });
}
