// Asks two exchanges for a price and signs in at one of them. The key is egress-only: this script never has it, only a placeholder
// that the service exchanges on the way to the one host that the key's policy names.
async function main(input, secrets) {
  const ask = async (url, headers = {}) => {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(5000) });
    if (!response.ok) throw new Error(`${new URL(url).host} says ${response.status}`);
    return (await response.json()).price;
  };
  const [open, private_] = await Promise.all([
    ask(input.public_url),
    ask(input.private_url, { authorization: `Bearer ${secrets.api_key}` }),
  ]);
  const spread = Math.abs(open - private_) / open;
  return { open, private: private_, alert: spread > input.threshold, placeholder: /^secret_[0-9a-f]{32}$/.test(secrets.api_key) };
}
