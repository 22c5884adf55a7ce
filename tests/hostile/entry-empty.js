// what: the name is empty
// options: ["--entry", ""]
// expect: refused entry_invalid
function main() {}
