// The Merkle root of a list of records, and a proof that one of them is in it. Whoever holds the root can check the
// proof without seeing the other records.
//   neocompute run examples/merkle-root.js --input examples/merkle-root.input.json
//
// A leaf is sha256("leaf:" + record), a node sha256("node:" + left + right) over the children's hexadecimal digits; the
// prefixes keep a node from passing as a leaf. The last node of an odd level moves up as it is: doubling it, as Bitcoin
// does, would give two different lists the same root.

const leafHash = (record) => crypto.sha256(`leaf:${record}`);
const nodeHash = (left, right) => crypto.sha256(`node:${left}${right}`);

// All levels, from the leaves to the level of one, the root.
function buildLevels(leaves) {
  const levels = [leaves];
  for (let level = leaves; level.length > 1; levels.push(level)) {
    const above = [];
    for (let i = 0; i < level.length; i += 2) {
      above.push(i + 1 < level.length ? nodeHash(level[i], level[i + 1]) : level[i]);
    }
    level = above;
  }
  return levels;
}

// The siblings on the way up; a level where the node has none adds no step.
function prove(levels, index) {
  const steps = [];
  for (const level of levels) {
    const sibling = index ^ 1;
    if (sibling < level.length) steps.push({ side: sibling < index ? 'left' : 'right', hash: level[sibling] });
    index >>= 1;
  }
  return steps;
}

function rootFromProof(hash, steps) {
  return steps.reduce((at, step) => (step.side === 'left' ? nodeHash(step.hash, at) : nodeHash(at, step.hash)), hash);
}

function main(input) {
  const { records, proveIndex } = input;
  if (!Array.isArray(records) || records.length === 0) throw new Error('records must be a non-empty array');
  records.forEach((record, index) => {
    if (typeof record !== 'string') throw new Error(`records[${index}] must be a string`);
  });
  if (!Number.isInteger(proveIndex) || proveIndex < 0 || proveIndex >= records.length) {
    throw new Error(`proveIndex must be a whole number from 0 to ${records.length - 1}`);
  }

  const levels = buildLevels(records.map(leafHash));
  const root = levels[levels.length - 1][0];
  const leaf = levels[0][proveIndex];
  const proof = prove(levels, proveIndex);
  if (rootFromProof(leaf, proof) !== root) throw new Error('the proof does not lead to the root');

  console.debug(`${levels.length} levels, ${proof.length} steps`);
  return { root, count: records.length, index: proveIndex, leaf, proof };
}
