// what: the error's message is computed without end
// options: --timeout 0.3
// expect: failed timeout
function main() { throw { name: 'Error', get message() { for (;;); } }; }
