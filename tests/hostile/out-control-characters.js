// what: NUL and its kin in values and keys, each escaped as RFC 8785 says
// expect: completed
// output: {"":"  ","\u0000":"\u0000","\b\t\n\f\r\"\\":"\u001f€"}
function main() { return { '': '  ', '\0': '\0', '\b\t\n\f\r"\\': '\x1f\x7f\u20ac' }; }
