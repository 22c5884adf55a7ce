// what: NUL, escape sequences and line ends pass as text, escaped in the record
// expect: completed
// log: "\u0000a\u001b[31mred\u0007\r\n\u007f"
// log: "{ '\\x00': '\\x1B[2J' }"
function main() {
  console.log('\0a\x1b[31mred\x07\r\n\x7f');
  console.log({ '\0': '\x1b[2J' });
}
