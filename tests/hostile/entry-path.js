// what: nor a path
// options: --entry o.main
// expect: failed entry_not_found
const o = { main: () => 'called' };
function main() {}
