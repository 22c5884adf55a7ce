// What an exchange with the outside costs, warm, with a TLS origin on loopback: node bench/egress.mjs [BUILD_DIR] [EXCHANGES]
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
const [build = 'build', count = '2000'] = process.argv.slice(2);
process.env.EGRESS ??= `${build}/neocompute-egress`;
process.env.EGRESS_MAIN ??= `${build}/tests/egress_main`;
const { start } = await import('../tests/egress.mjs');
const { authority, origin } = await import('../tests/origin.mjs');

const cpuMs = (pid) => { const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) (?=\w )/)[1].split(' '); return 10 * (Number(f[11]) + Number(f[12])); };
const rssKb = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
const ca = authority();
const names = join(ca.folder, 'names');
writeFileSync(names, '127.0.0.1 a.example\n');

for (const h2 of [false, true]) {
  const server = await origin({ tls: ca.leaf(['a.example']), h2 });
  const e = await start({ names, exceptions: '127.0.0.0/8', authorities: ca.file });
  const ask = () => e.ask({ port: server.port, target: '/empty' });
  await new Promise((done) => setTimeout(done, 200));
  const idle = rssKb(e.pid);
  for (let i = 0; i < 50; i++) await ask();
  const times = [], before = cpuMs(e.pid);
  for (let i = 0; i < Number(count); i++) {
    const at = performance.now();
    await ask();
    times.push(performance.now() - at);
  }
  const alone = (cpuMs(e.pid) - before) / Number(count);
  const from = performance.now(), cpu = cpuMs(e.pid);
  for (let i = 0; i < Number(count); i += 50) await Promise.all(Array.from({ length: 50 }, ask));
  const together = (performance.now() - from) / Number(count);
  times.sort((a, b) => a - b);
  const at = (part) => times[Math.floor(part * times.length)].toFixed(3);
  console.log(`${h2 ? 'HTTP/2' : 'HTTP/1.1'}: one at a time p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${(1000 * alone).toFixed(0)} µs of CPU each; `
    + `50 at a time ${(1000 / together).toFixed(0)}/s, ${(1000 * (cpuMs(e.pid) - cpu) / Number(count)).toFixed(0)} µs of CPU each; RSS ${idle} kB idle, ${rssKb(e.pid)} kB after`);
  await e.stop();
  server.close();
}
