// what: what the global object only inherits is no entry point of the script
// options: --entry constructor
// expect: failed entry_not_found
// bug: Object is called, its result (the input) is the output (src/engine/engine.c, find_in_script)
function main() {}
