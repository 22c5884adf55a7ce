// what: both halves, in the wrong order
// expect: failed output_invalid
function main() { return ['\udc00\ud800']; }
