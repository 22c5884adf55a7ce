// what: the parser, nested 20,000 deep in all its ways
// options: --timeout 10
// expect: completed
// output: {"overflown":true}
function main() {
  const n = 20000, ends = [['(', ')'], ['[', ']'], ['{', '}'], ['()=>', ''], ['(function(){', '})'], ['class A{static x=', '}'], ['`${', '}`'],
    ['1?', ':1'], ['1?1:', ''], ['if(1)', ''], ['if(1);else ', ''], ['while(0)', ''], ['try{', '}catch{}'], ['switch(1){case 1:', '}'], ['with({})', ''],
    ['1**', ''], ['a=', ''], ['new ', ''], ['(class extends ', '{})'], ['do ', '\nwhile(0)'], ['x=>x(', ')']];
  const names = new Set(ends.map(([open, close]) => {
    try { return typeof (0, eval)(`${open.repeat(n)}1${close.repeat(n)}`); } catch (error) { return error.name; }
  }));
  return { overflown: names.has('RangeError') };
}
