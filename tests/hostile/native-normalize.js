// what: quadratic sorting of combining marks
// options: --timeout 0.3
// expect: failed timeout
function main() { return `a${'\u0301\u0316'.repeat(1e5)}`.normalize('NFC').length; }
