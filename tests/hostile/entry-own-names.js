// what: the script's own functions under such names are entry points like others
// options: --entry constructor
// expect: completed
// output: {"mine":true}
function constructor() { return { mine: true }; }
