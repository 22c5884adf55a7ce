// what: nothing of a host is there
// expect: completed
// output: {"found":[]}
function main() {
  const names = ['require', 'process', 'module', 'exports', 'Deno', 'Bun', 'XMLHttpRequest', 'WebSocket', 'Worker',
    'setImmediate', 'WebAssembly', 'Atomics', 'Intl', 'std', 'os', 'bjson', 'scriptArgs', 'print', 'load', 'gc', 'navigator', 'window', 'self', 'global',
    'host', 'importScripts', 'read', 'readFile', '__host', 'Buffer', 'vm', 'ShadowRealm', 'Worklet'];
  return { found: names.filter((name) => { try { return (0, eval)(`typeof ${name}`) !== 'undefined'; } catch { return true; } }) };
}
