// what: every object has a then, which throws: the script's own harm
// expect: failed output_invalid|execution_error
// error: asked
Object.defineProperty(Object.prototype, 'then', { get() { throw new Error('asked'); } });
function main() { return { a: 1 }; }
