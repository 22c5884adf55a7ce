// what: a name with terminal escapes and line ends comes back in the error, as JSON
// options: ["--entry", "\u001b[31m\n\"x\""]
// expect: failed entry_not_found
// error: "entry point '\u001b[31m\n\"x\"' is not a function"
function main() {}
