// what: numbers at the edges, as ECMAScript prints them
// expect: completed
// output: {"result":[0,5e-324,1.7976931348623157e+308,1e-7,0.000001,1e+21,100000000000000000000,0.1,null,null,9007199254740993000]}
function main() {
  return [-0, 5e-324, Number.MAX_VALUE, 1e-7, 1e-6, 1e21, 1e20, 0.1, NaN, -Infinity, 9007199254740993000];
}
