// what: the limit is one for all of console
// expect: completed
// logs: 100, dropped: 25
function main() {
  for (let i = 0; i < 25; i++) for (const name of ['log', 'info', 'warn', 'error', 'debug']) console[name](i);
}
