// what: a replacement that repeats the rest of the text each time
// options: --timeout 0.5 --memory 64
// expect: failed timeout|out_of_memory
function main() { return 'a'.repeat(1e5).replaceAll('a', "$'$`").length; }
