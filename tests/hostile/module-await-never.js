// what: a module that never finishes loading
// expect: failed unsettled
await new Promise(() => {});
export default () => 1;
