// The reference's example of secrets: a script names what it needs, and has it as an argument and as a global.
function main(input, secrets) {
  if (secrets !== globalThis.secrets) throw new Error('the argument is the global');
  return { hasKey: secrets.api_key.length > 0, fingerprint: crypto.sha256(input.salt + secrets.api_key).slice(0, 16) };
}
