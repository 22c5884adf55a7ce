// The price of an Asian call option (paid on the average price on the way, which has no simple formula) by Monte Carlo,
// with a 95% confidence interval. The same seed gives the same answer anywhere: a disputed price can be computed again.
//   neocompute run examples/monte-carlo.js --input examples/monte-carlo.input.json

const STREAMS = 4;
const LIMITS = { spot: [0.01, 1e6], strike: [0.01, 1e6], rate: [0, 1], volatility: [0, 2], years: [0.01, 50] };
const round = (x) => Math.round(x * 1e6) / 1e6; // the digits that no platform's exp or log disputes

// sfc32 (C. Doty-Humphrey, PractRand), its state from the seed's hash: numbers of 32 bits, from 0 to under 1.
function sfc32(seed) {
  const hex = crypto.sha256(seed);
  let [a, b, c, counter] = [0, 8, 16, 24].map((at) => parseInt(hex.slice(at, at + 8), 16) | 0);
  return () => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return (t >>> 0) / 2 ** 32;
  };
}

// Standard normal numbers by Marsaglia's polar method, which makes two at a time.
function normals(uniform) {
  const spare = [];
  return () => {
    if (spare.length > 0) return spare.pop();
    let u, v, s;
    do {
      [u, v] = [2 * uniform() - 1, 2 * uniform() - 1];
      s = u * u + v * v;
    } while (s >= 1 || s === 0);
    const scale = Math.sqrt((-2 * Math.log(s)) / s);
    spare.push(v * scale);
    return u * scale;
  };
}

// One stream of paths; each path is paired with its mirror image, which cancels much of the noise.
async function simulate(option, seed, pairs) {
  const { spot, strike, rate, volatility, years, steps } = option;
  const normal = normals(sfc32(seed));
  const drift = (rate - (volatility * volatility) / 2) * (years / steps);
  const spread = volatility * Math.sqrt(years / steps);
  const payoff = (total) => Math.exp(-rate * years) * Math.max(0, total / steps - strike);
  let sum = 0, squares = 0;
  for (let pair = 0; pair < pairs; pair++) {
    let up = spot, down = spot, upTotal = 0, downTotal = 0;
    for (let step = 0; step < steps; step++) {
      const z = spread * normal();
      upTotal += up *= Math.exp(drift + z);
      downTotal += down *= Math.exp(drift - z);
    }
    const value = (payoff(upTotal) + payoff(downTotal)) / 2;
    sum += value;
    squares += value * value;
  }
  return { sum, squares };
}

function check(value, what, min, max, whole = false) {
  const ok = (whole ? Number.isInteger(value) : Number.isFinite(value)) && value >= min && value <= max;
  if (!ok) throw new Error(`${what} must be a ${whole ? 'whole ' : ''}number from ${min} to ${max}`);
}

async function main(input) {
  const { seed, paths, option } = input;
  if (typeof seed !== 'string' || seed === '') throw new Error('seed must be a non-empty string');
  check(paths, 'paths', 1000, 1e6, true);
  for (const [name, [min, max]] of Object.entries(LIMITS)) check(option?.[name], `option.${name}`, min, max);
  check(option.steps, 'option.steps', 1, 1000, true);

  const pairs = Math.ceil(paths / 2 / STREAMS), n = pairs * STREAMS;
  const streams = await Promise.all(Array.from({ length: STREAMS }, (_, i) => simulate(option, `${seed}/${i}`, pairs)));
  const total = (key) => streams.reduce((sum, stream) => sum + stream[key], 0);
  const mean = total('sum') / n;
  const error = Math.sqrt(Math.max(0, total('squares') - n * mean * mean) / (n - 1) / n);
  const confidence95 = [round(mean - 1.96 * error), round(mean + 1.96 * error)];
  return { price: round(mean), standardError: round(error), confidence95, paths: 2 * n };
}
