// what: the same for Object.prototype.toString
// options: --entry toString
// expect: failed entry_not_found
function main() {}
