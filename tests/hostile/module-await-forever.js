// what: a module that is for ever busy loading
// options: --timeout 0.3
// expect: failed timeout
for (;;) await 0;
export default () => 1;
