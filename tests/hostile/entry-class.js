// what: a class cannot be called
// expect: failed execution_error
// error: TypeError
class main { constructor() { this.made = true; } }
