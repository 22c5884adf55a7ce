// what: nor to pass on
// expect: failed syntax_error|script_error
export * from 'std';
export * from 'os';
