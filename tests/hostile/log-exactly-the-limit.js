// what: 4,096 bytes are an entry, 4,097 are cut
// expect: completed
// logs: 2
// log-bytes: 4096 4110
function main() {
  console.log('x'.repeat(4096));
  console.log('x'.repeat(4097));
}
