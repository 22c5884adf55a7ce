// what: exponential backtracking that even the reference service's engine never stopped
// options: --timeout 0.3
// expect: failed timeout
function main() { return /^(a+)+\1b?c$/.test('a'.repeat(34)); }
