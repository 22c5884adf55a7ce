// what: … or never answers
// options: --timeout 0.3
// expect: failed timeout
Object.defineProperty(globalThis, 'main', { get() { for (;;); } });
