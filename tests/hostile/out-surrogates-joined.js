// what: halves that become a pair when joined are fine
// expect: completed
// output: {"result":"😀"}
function main() { return '\ud83d' + '\ude00'; }
