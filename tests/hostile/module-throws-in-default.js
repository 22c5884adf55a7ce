// what: the default export is an accessor's value, a class and no function one may call
// expect: failed execution_error
// error: TypeError
export default class { constructor() { throw new Error('constructed'); } }
