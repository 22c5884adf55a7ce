// A PostgreSQL server of the test's own, from Debian's binaries: data in a directory of its own, one Unix socket, and `tcp`,
// a port of loopback, if it is asked for; with TLS, if it has `tls`: {key, cert}.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const binaries = () => {
  const root = '/usr/lib/postgresql';
  return join(root, readdirSync(root).sort((a, b) => b - a)[0], 'bin');
};

// Root may not run it: then the user that Debian made for it does.
const owner = () => {
  if (process.getuid() !== 0) return {};
  const [, , uid, gid] = readFileSync('/etc/passwd', 'utf8').split('\n').find((l) => l.startsWith('postgres:')).split(':');
  return { uid: Number(uid), gid: Number(gid) };
};

// A port of loopback that nobody has at the moment.
export const freePort = () => new Promise((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => { const { port } = probe.address(); probe.close(() => resolve(port)); });
});

export async function startPostgres({ schema = true, tcp, tls } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'pg-')), data = join(directory, 'data'), bin = binaries(), as = owner();
  chmodSync(directory, 0o755);
  if (as.uid !== undefined) chownSync(directory, as.uid, as.gid);
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'neocompute', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'], { stdio: 'ignore', cwd: directory, ...as });
  const port = String(tcp ?? 5432);
  for (const [name, text] of tls ? [['server.crt', tls.cert], ['server.key', tls.key]] : []) {
    const path = join(data, name);
    writeFileSync(path, text, { mode: 0o600 });
    if (as.uid !== undefined) chownSync(path, as.uid, as.gid);
  }
  let server;
  const boot = async () => {
    server = spawn(join(bin, 'postgres'), ['-D', data, '-k', directory, '-c', `listen_addresses=${tcp ? '127.0.0.1' : ''}`, ...(tcp ? ['-p', port] : []), ...(tls ? ['-c', 'ssl=on'] : []), '-c', 'fsync=off', '-c', 'shared_buffers=8MB'], { stdio: 'ignore', cwd: directory, ...as });
    for (let i = 0; i < 100; i++) {
      if (spawnSync(join(bin, 'pg_isready'), ['-h', directory, '-p', port, '-U', 'neocompute'], { stdio: 'ignore' }).status === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('PostgreSQL does not start');
  };
  const sql = (text) => execFileSync(join(bin, 'psql'), ['-h', directory, '-p', port, '-U', 'neocompute', '-d', 'postgres', '-v', 'ON_ERROR_STOP=1', '-AtqX'], { input: text, encoding: 'utf8', stdio: ['pipe', 'pipe', 'inherit'] });
  const halt = async () => {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGINT'); // fast shutdown
    await ended;
  };
  // It has a process for each connection.
  const signalAll = (signal) => {
    for (const pid of readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').split(' ').filter(Boolean)) process.kill(Number(pid), signal);
    server.kill(signal);
  };
  await boot();
  if (schema) sql(readFileSync(new URL('../deploy/postgres/secrets.sql', import.meta.url), 'utf8'));
  return {
    connection: tcp ? `postgresql://neocompute@127.0.0.1:${tcp}/postgres` : `host=${directory} user=neocompute dbname=postgres`, directory, sql, halt, boot,
    pause: () => signalAll('SIGSTOP'), resume: () => signalAll('SIGCONT'), pid: () => server.pid,
    async stop() { await halt(); rmSync(directory, { recursive: true, force: true }); },
  };
}
