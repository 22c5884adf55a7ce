// what: weak references and finalizers, while much is made and dropped
// options: --memory 64
// expect: completed
// output: {"finalizerLogs":0}
function main() {
  let logs = 0;
  const registry = new FinalizationRegistry(() => { logs++; }), kept = [];
  for (let i = 0; i < 20000; i++) {
    const ring = { i };
    ring.ring = ring;
    registry.register(ring, i);
    kept.push(new WeakRef(ring));
    if (i % 1000 === 0) kept.forEach((ref) => ref.deref());
  }
  return { finalizerLogs: logs };
}
