// what: a thousand rejections nobody handles, and jobs that throw, are nobody's result
// expect: completed
// output: {"result":"fine"}
async function main() {
  for (let i = 0; i < 1000; i++) Promise.reject(new Error('unhandled'));
  queueMicrotask(() => { throw new Error('job'); });
  await new Promise((resolve) => queueMicrotask(resolve));
  return 'fine';
}
