// what: entries written while the output and the error are read count, too
// expect: failed output_invalid
// logs: 100, dropped: 100
function main() {
  return {
    get a() { for (let i = 0; i < 150; i++) console.log('output'); },
    toJSON() { throw { get name() { for (let i = 0; i < 50; i++) console.log('error'); return 'E'; }, message: (this.a, 'm') }; },
  };
}
