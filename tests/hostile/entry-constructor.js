// what: what the global object only inherits is no entry point of the script
// options: --entry constructor
// expect: failed entry_not_found
function main() {}
