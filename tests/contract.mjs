// The HTTP contract as a function: what docs/openapi.yaml says of a reply, checked with ajv. For tests that hold live replies.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';

export const api = parse(readFileSync(new URL('../docs/openapi.yaml', import.meta.url), 'utf8'));

// Annotations of OpenAPI and JSON Schema that ajv would not know in its strict mode.
const ajv = addFormats(new Ajv({ strict: true, strictTypes: false, strictRequired: false, allErrors: true, keywords: ['components'] }));
ajv.addSchema({ $id: 'api', components: api.components });

const resolve = (node) => (node?.$ref ? node.$ref.slice(2).split('/').reduce((at, key) => at[key], api) : node);

// A schema's references, which are relative to the document, as ajv finds them.
function absolute(node) {
  if (Array.isArray(node)) return node.map(absolute);
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, key === '$ref' ? `api${value}` : absolute(value)]));
}

const compiled = new Map();
function validator(schema) {
  if (!compiled.has(schema)) compiled.set(schema, ajv.compile(absolute(schema)));
  return compiled.get(schema);
}

export function assertValid(schema, value, what) {
  const validate = validator(schema);
  assert(validate(value), `${what}: ${JSON.stringify(validate.errors?.map(({ instancePath, message, params }) => [instancePath, message, params]))}\n${JSON.stringify(value)}`);
}

export const schemaOf = (name) => ({ $ref: `#/components/schemas/${name}` });
const named = new Map();
export function assertIs(name, value, what = name) {
  if (!named.has(name)) named.set(name, schemaOf(name));
  assertValid(named.get(name), value, what);
}

const templates = Object.keys(api.paths).map((template) => [template, new RegExp(`^${template.replace(/\./g, '\\.').replace(/\{[^}]+\}/g, '[^/]+')}$`)])
  .sort(([a], [b]) => a.split('{').length - b.split('{').length);

// The operation that a request asks for; undefined if the contract has none.
export function operationOf(method, target) {
  const path = new URL(target, 'http://localhost').pathname;
  const template = templates.find(([, form]) => form.test(path))?.[0];
  return template && api.paths[template][method.toLowerCase()];
}

function responseOf(operation, status) {
  const { responses } = operation;
  return resolve(responses[status] ?? responses[`${String(status)[0]}XX`]);
}

function checkHeaders(response, headers, what) {
  for (const [name, header] of Object.entries(response.headers ?? {})) {
    const { required, schema } = resolve(header), value = headers.get(name);
    if (value === null) assert(!required, `${what}: no ${name}`);
    else assertValid(schema, resolve(schema).type === 'integer' ? Number(value) : value, `${what}: ${name}`);
  }
}

// Whether a reply is one that the contract allows: its status, media type, headers (a Headers object) and body (text).
// A refusal may answer any request, also one that the contract does not have.
export function checkReply(method, target, { status, headers, body }) {
  const what = `${method} ${target}: ${status}`;
  const operation = operationOf(method, target);
  const response = operation ? responseOf(operation, status) : status >= 400 && api.components.responses.Refused;
  assert(response, `${what}: not in the contract`);
  checkHeaders(response, headers, what);
  if (!response.content) return assert.equal(body, '', what);
  const type = (headers.get('content-type') ?? '').split(';')[0];
  assert(type in response.content, `${what}: ${type || 'no media type'}`);
  const { schema } = response.content[type];
  const value = /[/+]json$/.test(type) ? JSON.parse(body) : body;
  assertValid(schema, value, what);
  if (type === 'application/problem+json') {
    assert.equal(value.status, status, what);
    assert.equal(value.code, `HTTP_${status}`, what);
    assert.equal(value.type, `urn:neocompute:problem:${value.error_code}`, what);
  }
}

// fetch, and the reply checked; { status, headers, body, json }.
export async function call(origin, method, target, options = {}) {
  const reply = await fetch(new URL(target, origin), { method, ...options });
  const { status, headers } = reply, body = await reply.text();
  checkReply(method, target, { status, headers, body });
  return { status, headers, body, json: /[/+]json/.test(headers.get('content-type') ?? '') ? JSON.parse(body) : undefined };
}

