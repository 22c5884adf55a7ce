// what: input and secrets are the script's to change; what main is given is what was sent
// options: --input {"a":1} --secret KEY=value
// expect: completed
// output: {"given":{"a":1},"secret":"value"}
globalThis.input = 'forged';
delete globalThis.secrets;
function main(given, secrets) { return { given, secret: secrets.KEY }; }
