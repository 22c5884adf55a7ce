// what: jobs that make more jobs; memory runs out inside a job, which rejects a promise nobody looks at
// options: --memory 32
// expect: failed unsettled|out_of_memory
function main() {
  const all = [];
  const more = () => { for (let i = 0; i < 100; i++) all.push(Promise.resolve().then(more)); };
  more();
  return new Promise(() => {});
}
