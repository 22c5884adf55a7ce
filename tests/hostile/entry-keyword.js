// what: nor a keyword: evaluating this one would be an object
// options: --entry this
// expect: failed entry_not_found
function main() {}
