// what: keys sort by UTF-16 code units, numbers among them
// expect: completed
// output: {"":0,"1":1,"10":2,"2":3,"A":4,"a":5,"aa":6,"é":7,"€":8,"😀":9,"ﬀ":10}
function main() { return { '\ufb00': 10, '😀': 9, '€': 8, é: 7, aa: 6, a: 5, A: 4, 2: 3, 10: 2, 1: 1, '': 0 }; }
