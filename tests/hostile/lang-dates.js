// what: the ends of time, in UTC whatever the machine says
// expect: completed
// output: {"result":["+275760-09-13T00:00:00.000Z",null,0,"1969-12-31T23:59:59.999Z","Thu Jan 01 1970 00:00:00 GMT+0000","2024-02-29T00:00:00.000Z","RangeError",null]}
function main() {
  let range;
  try { new Date(NaN).toISOString(); } catch (error) { range = error.name; }
  return [new Date(8.64e15), new Date(8.64e15 + 1), new Date(2020, 6, 1).getTimezoneOffset(), new Date(-1), new Date(0).toString().slice(0, 33),
    new Date(2024, 1, 29), range, Date.parse('2020-'.repeat(10000))];
}
