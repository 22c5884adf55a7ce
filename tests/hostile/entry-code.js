// what: a name is never code
// options: ["--entry", "main();throw 1"]
// expect: failed entry_not_found
function main() { return 'called'; }
