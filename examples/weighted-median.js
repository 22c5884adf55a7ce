// One price from the quotes of several sources: stale quotes and outliers are dropped, the rest give their weighted
// median. Who quoted what stays inside, so that rivals can quote to the same oracle.
//   neocompute run examples/weighted-median.js --input examples/weighted-median.input.json

const UTC_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/;

function instant(text, what) {
  const ms = typeof text === 'string' && UTC_TIME.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(ms)) throw new Error(`${what} must be a UTC time such as 2025-03-03T12:00:00Z`);
  return ms;
}

function positive(value, what) {
  if (!Number.isFinite(value) || value <= 0) throw new Error(`${what} must be a positive number`);
  return value;
}

// The price with half of the weight below it and half above; halfway between two prices if it falls between them.
function weightedMedian(quotes) {
  const sorted = quotes.slice().sort((a, b) => a.price - b.price);
  const half = sorted.reduce((sum, quote) => sum + quote.weight, 0) / 2;
  let below = 0;
  for (let i = 0; i < sorted.length - 1; i++) {
    below += sorted[i].weight;
    if (below > half) return sorted[i].price;
    if (below === half) return (sorted[i].price + sorted[i + 1].price) / 2;
  }
  return sorted[sorted.length - 1].price;
}

function readQuote(quote, index) {
  const what = `quotes[${index}]`;
  if (typeof quote !== 'object' || quote === null) throw new Error(`${what} must be an object`);
  if (typeof quote.source !== 'string' || quote.source === '') throw new Error(`${what}.source must be a name`);
  return {
    source: quote.source,
    price: positive(quote.price, `${what}.price`),
    weight: positive(quote.weight ?? 1, `${what}.weight`),
    at: instant(quote.at, `${what}.at`),
  };
}

function main(input) {
  const { pair, quotes, minSources = 3 } = input;
  if (typeof pair !== 'string' || pair === '') throw new Error('pair must be a name such as ETH/EUR');
  if (!Array.isArray(quotes)) throw new Error('quotes must be an array');
  if (!Number.isInteger(minSources) || minSources < 1) throw new Error('minSources must be a positive integer');
  const asOf = instant(input.asOf, 'asOf');
  const maxAge = positive(input.maxAgeSeconds ?? 60, 'maxAgeSeconds') * 1000;
  const maxDeviation = positive(input.maxDeviationPercent ?? 2, 'maxDeviationPercent') / 100;

  const all = quotes.map(readQuote);
  if (new Set(all.map((quote) => quote.source)).size !== all.length) throw new Error('a source may quote only once');

  const rejected = [];
  const keep = (list, reason, test) => list.filter((quote) => {
    const good = test(quote);
    if (!good) rejected.push({ source: quote.source, reason });
    return good;
  });

  let used = keep(all, 'from the future', (quote) => quote.at <= asOf);
  used = keep(used, 'stale', (quote) => asOf - quote.at <= maxAge);
  // Outliers are judged against the plain median: a source's weight must not shield it.
  const centre = used.length > 0 ? weightedMedian(used.map(({ price }) => ({ price, weight: 1 }))) : 0;
  used = keep(used, 'outlier', (quote) => Math.abs(quote.price - centre) <= maxDeviation * centre);
  if (used.length < minSources) throw new Error(`only ${used.length} usable quotes, ${minSources} are needed`);

  console.log(`${pair}: ${used.length} of ${all.length} quotes used`);
  return {
    pair,
    asOf: input.asOf,
    price: Math.round(weightedMedian(used) * 1e6) / 1e6,
    sources: used.map((quote) => quote.source).sort(),
    rejected,
  };
}
