// what: directives without values, values without directives, a thousand of both
// expect: completed
// log: "%s %d 100%% %"
// log: "NaN NaN NaN 5n [Object: null prototype] {}"
function main() {
  console.log('%s %d 100%% %', ...[]);
  console.log('%d %i %f %d %s', Symbol(), {}, [], 5n, Object.create(null));
  console.log('%s%o%j'.repeat(1000), ...new Array(3000).fill({ a: [1] }));
}
