// what: an error of errors that holds itself
// expect: failed execution_error
// error: AggregateError: all
function main() {
  const error = new AggregateError([], 'all');
  error.errors.push(error);
  error.cause = error;
  throw error;
}
