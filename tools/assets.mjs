// Packs files into the service: `node tools/assets.mjs OUT_DIR PATH=FILE...` writes OUT_DIR/assets.bin, all bytes one after the
// other, and OUT_DIR/assets_list.h, which says what is where. A PATH that ends in / takes the whole folder FILE.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';

const MEDIA_TYPES = {
  '.html': 'text/html; charset=utf-8', '.css': 'text/css; charset=utf-8', '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8', '.json': 'application/json', '.txt': 'text/plain; charset=utf-8', '.svg': 'image/svg+xml',
  '.png': 'image/png', '.ico': 'image/x-icon', '.woff2': 'font/woff2', '.webmanifest': 'application/manifest+json',
};

const [out, ...pairs] = process.argv.slice(2);
if (!out || pairs.some((pair) => !/^\/[^=]*=./.test(pair))) {
  console.error('usage: node tools/assets.mjs OUT_DIR /PATH=FILE...');
  process.exit(2);
}

function* files(path, file) {
  if (!statSync(file).isDirectory()) return yield [path, file];
  for (const name of readdirSync(file).filter((n) => !n.startsWith('.')).sort()) {
    const inner = join(file, name), folder = statSync(inner).isDirectory();
    yield* files(`${path}${name}${folder ? '/' : ''}`, inner);
  }
}

const rows = [], parts = [], seen = new Set();
let offset = 0;
for (const [path, file] of pairs.flatMap((pair) => { const at = pair.indexOf('='); return [...files(pair.slice(0, at), pair.slice(at + 1))]; })) {
  const type = MEDIA_TYPES[extname(file)];
  // What a browser would have to percent-encode, and what would break the C below.
  if (!/^[A-Za-z0-9/._~-]+$/.test(path) || seen.has(path) || !type) throw new Error(`${file}: no good name, or no known kind of file`);
  seen.add(path);
  const bytes = readFileSync(file), hash = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
  rows.push(`  X("${path}", "${type}", "\\"${hash}\\"", ${type.startsWith('text/html') ? 'page' : 'data'}_policy, ${offset}, ${bytes.length})`);
  parts.push(bytes);
  offset += bytes.length;
}

mkdirSync(out, { recursive: true });
writeFileSync(join(out, 'assets.bin'), Buffer.concat(parts));
writeFileSync(join(out, 'assets_list.h'), `/* Made by tools/assets.mjs. Path, media type, ETag, policy, offset, length. */
#define ASSETS_LIST(X) \\\n${rows.join(' \\\n')}
`);
