// what: an entry point by the name of an accessor that everything inherits
// options: --entry __proto__
// expect: failed entry_not_found
function main() {}
