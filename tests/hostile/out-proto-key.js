// what: own keys called __proto__, constructor and toJSON are keys like others
// expect: completed
// output: {"__proto__":{"a":2,"b":1},"constructor":3,"hasOwnProperty":4,"toJSON":5}
function main() {
  return JSON.parse('{"toJSON":5,"hasOwnProperty":4,"constructor":3,"__proto__":{"b":1,"a":2}}');
}
