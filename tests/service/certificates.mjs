// Certificates for the tests of TLS, made by the openssl program: `authority(name)` makes a CA, and that makes leaves.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratch } from './service.mjs';

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });

// Paths and PEM texts of one certificate and its key.
const pair = (path) => ({ certFile: `${path}.crt`, keyFile: `${path}.key`,
  cert: readFileSync(`${path}.crt`, 'utf8'), key: readFileSync(`${path}.key`, 'utf8') });

export function authority(name) {
  const folder = scratch();
  const ca = join(folder, 'ca');
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...key, '-days', '2', '-subj', `/CN=${name}`, '-keyout', `${ca}.key`, '-out', `${ca}.crt`);
  const leaf = (subject, extensions) => {
    const path = join(folder, subject.replace(/\W/g, '_')), file = `${path}.ext`;
    writeFileSync(file, extensions);
    openssl('req', ...key, '-subj', `/CN=${subject}`, '-keyout', `${path}.key`, '-out', `${path}.csr`);
    openssl('x509', '-req', '-in', `${path}.csr`, '-CA', `${ca}.crt`, '-CAkey', `${ca}.key`, '-days', '2', '-extfile', file, '-out', `${path}.crt`);
    return pair(path);
  };
  return {
    ...pair(ca),
    server: (subject = 'neocompute') => leaf(subject, 'extendedKeyUsage=serverAuth\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n'),
    client: (subject) => leaf(subject, `extendedKeyUsage=clientAuth\nsubjectAltName=DNS:${subject}\n`),
  };
}
