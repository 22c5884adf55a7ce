// A PostgREST of the test's own, as a Supabase project has it, over HTTPS: the reference's three tables in memory, its filters, its
// answers, and the faults that a test asks for. supabase.test.mjs holds it against the client that Supabase publishes, so that
// what speaks to it speaks the same dialect.
import { createCipheriv, randomBytes, randomUUID } from 'node:crypto';
import { origin } from './origin.mjs';

export const SERVICE_KEY = 'service-key-of-the-tests.0123456789';
export const SECRETS_KEY = '8899aabbccddeeff00112233445566778899aabbccddeeff0011223344556677';

// The reference's ciphertext.
export function sealed(value, key = SECRETS_KEY) {
  const nonce = randomBytes(12), cipher = createCipheriv('aes-256-gcm', Buffer.from(key, 'hex'), nonce);
  return Buffer.concat([nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]).toString('base64');
}

const operators = { eq: (a, b) => String(a) === b, neq: (a, b) => String(a) !== b, gt: (a, b) => Date.parse(a) > Date.parse(b), lt: (a, b) => Date.parse(a) < Date.parse(b), is: (a, b) => b === 'null' && a === null };
const problem = (code, message) => ({ code, details: null, hint: null, message });

// Rows that the filters let pass, in the order and number that were asked for; or a problem.
function select(rows, parameters) {
  let found = rows;
  for (const [column, condition] of parameters) {
    if (['select', 'order', 'limit', 'offset', 'columns'].includes(column)) continue;
    const [, name, value] = /^(\w+)\.(.*)$/s.exec(condition) ?? [];
    if (!operators[name]) return { problem: problem('PGRST100', `"failed to parse filter (${condition})"`) };
    if (rows.length > 0 && !(column in rows[0])) return { problem: problem('42703', `column ${column} does not exist`) };
    found = found.filter((row) => operators[name](row[column], value));
  }
  for (const part of (parameters.get('order') ?? '').split(',').filter(Boolean).reverse()) {
    const [column, direction] = part.split('.');
    found = [...found].sort((a, b) => (a[column] < b[column] ? -1 : a[column] > b[column] ? 1 : 0) * (direction === 'desc' ? -1 : 1));
  }
  const from = Number(parameters.get('offset') ?? 0);
  const columns = (parameters.get('select') ?? '*').split(',');
  const shown = (row) => (columns[0] === '*' ? row : Object.fromEntries(columns.map((column) => [column, row[column]])));
  return { rows: found.slice(from, from + Number(parameters.get('limit') ?? found.length)).map(shown) };
}

// `break(fault)`: from then on `fault(request, response)` answers in place of the tables if it returns true.
export async function supabase({ tls }) {
  const tables = { secrets: [], secret_policies: [], secret_audit_logs: [] };
  const self = { fault: null };
  const json = (response, status, body, headers = {}) =>
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers }).end(body === null ? undefined : JSON.stringify(body));
  const answer = async (request, response, url) => {
    if (self.fault && await self.fault(request, response)) return;
    if (request.headers.apikey !== SERVICE_KEY || request.headers.authorization !== `Bearer ${SERVICE_KEY}`) return json(response, 401, { message: 'Invalid API key' });
    const table = url.pathname.slice('/rest/v1/'.length), rows = tables[table];
    if (request.method === 'GET' || request.method === 'HEAD') {
      const found = select(rows, url.searchParams);
      if (found.problem) return json(response, 400, found.problem);
      const range = { 'content-range': found.rows.length ? `0-${found.rows.length - 1}/*` : '*/*' };
      if (!/vnd\.pgrst\.object/.test(request.headers.accept)) return json(response, 200, request.method === 'HEAD' ? null : found.rows, range);
      if (found.rows.length === 1) return json(response, 200, found.rows[0], range);
      return json(response, 406, problem('PGRST116', 'Cannot coerce the result to a single JSON object'));
    }
    if (request.method === 'DELETE') {
      const { rows: gone } = select(rows, url.searchParams);
      rows.splice(0, rows.length, ...rows.filter((row) => !gone.includes(row)));
      return json(response, 204, null);
    }
    if (request.method !== 'POST') return json(response, 405, problem('PGRST117', 'Unsupported HTTP method'));
    const parts = [];
    try { for await (const part of request) parts.push(part); } catch { return response.destroy(); } // the client has left
    let body;
    try { body = JSON.parse(Buffer.concat(parts)); } catch { return json(response, 400, problem('PGRST102', 'Empty or invalid json')); }
    const now = new Date().toISOString().replace('Z', '+00:00');
    const made = [body].flat().map((row) => ({ id: randomUUID(), created_at: now, ...(table === 'secrets' ? { version: 1, updated_at: now } : {}), ...row }));
    for (const row of made) {
      if (table === 'secrets' && rows.some((one) => one.user_id === row.user_id && one.name === row.name)) return json(response, 409, problem('23505', 'duplicate key value violates unique constraint'));
      rows.push(row);
    }
    return /return=representation/.test(request.headers.prefer ?? '') ? json(response, 201, made) : json(response, 201, null);
  };
  const server = await origin({ tls, more: Object.fromEntries(Object.keys(tables).map((table) => [`/rest/v1/${table}`, answer])) });
  return Object.assign(server, {
    tables,
    url: (host = 'store.example') => `https://${host}:${server.port}`,
    // What the reference would have written.
    add(user, name, value, { services = [], version = 1, key, encrypted = sealed(value, key) } = {}) {
      const now = '2026-11-01T12:00:00.123456+00:00';
      tables.secrets.push({ id: randomUUID(), user_id: user, name, encrypted_value: encrypted, version, created_at: now, updated_at: now });
      for (const service of services) tables.secret_policies.push({ id: randomUUID(), user_id: user, secret_name: name, service_id: service, created_at: now });
    },
    break(fault) { self.fault = fault; }, // null: whole again
  });
}
