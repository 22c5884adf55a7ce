// what: halves of pairs become U+FFFD
// expect: completed
// log: "a�b"
// log: "�� � 😀"
// log: "{ a: '\\ud800', [Symbol(\\udfff)]: 1 }"
function main() {
  console.log('a\ud800b');
  console.log('\udc00\ud800', '\udfff', '\ud83d\ude00');
  console.log({ a: '\ud800', [Symbol('\udfff')]: 1 });
}
