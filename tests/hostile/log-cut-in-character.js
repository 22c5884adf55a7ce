// what: no character is cut in two: 2, 3 and 4 bytes long, one byte before the cut, and halves of pairs
// expect: completed
// logs: 5
// log-bytes: 4109 4109 4110 4107 4109
function main() {
  console.log(`a${'é'.repeat(3000)}`);
  console.log('€'.repeat(3000));
  console.log('😀'.repeat(3000));
  console.log(`x${'😀'.repeat(3000)}`);
  console.log('\ud800'.repeat(3000));
}
