// what: an error that calls itself what the service says of others
// expect: failed execution_error
// error: execution error: timeout: worker_lost
function main() { throw { name: 'timeout', message: 'worker_lost', error_code: 'worker_lost' }; }
