// what: the same for Object.prototype.toString
// options: --entry toString
// expect: failed entry_not_found
// bug: Object.prototype.toString is called (src/engine/engine.c, find_in_script)
function main() {}
