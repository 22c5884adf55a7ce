// Deals cards from a seed: a fair shuffle that anyone who is later given the seed can repeat. seedHash, published before
// the game, shows that the seed was not changed; deckHash, published with the hands, fixes the cards not yet dealt.
//   neocompute run examples/card-draw.js --input examples/card-draw.input.json

const RANKS = ['2', '3', '4', '5', '6', '7', '8', '9', '10', 'J', 'Q', 'K', 'A'];
const SUITS = ['♣', '♦', '♥', '♠'];

// 32-bit words: sha256(seed|round|0), sha256(seed|round|1), and so on, eight words from each.
function* words(seed, round) {
  for (let block = 0; ; block++) {
    const hex = crypto.sha256(`${seed}|${round}|${block}`);
    for (let at = 0; at < hex.length; at += 8) yield parseInt(hex.slice(at, at + 8), 16);
  }
}

// A whole number from 0 to n - 1. A word modulo n alone would favour the small ones, so words beyond the last full
// multiple of n are thrown away.
function below(n, source) {
  const limit = 2 ** 32 - (2 ** 32 % n);
  let word;
  do word = source.next().value; while (word >= limit);
  return word % n;
}

// Fisher-Yates: each of the 52! orders comes from exactly one sequence of choices.
function shuffle(cards, source) {
  for (let i = cards.length - 1; i > 0; i--) {
    const j = below(i + 1, source);
    [cards[i], cards[j]] = [cards[j], cards[i]];
  }
  return cards;
}

function main(input) {
  const { seed, round, players, cardsEach } = input;
  if (typeof seed !== 'string' || seed.length < 16) throw new Error('seed must be a string of at least 16 characters');
  if (!Number.isSafeInteger(round) || round < 1) throw new Error('round must be a positive whole number');
  if (!Array.isArray(players) || players.length === 0) throw new Error('players must be a non-empty array of names');
  if (players.some((name) => typeof name !== 'string' || name === '')) throw new Error('a player must have a name');
  if (new Set(players).size !== players.length) throw new Error('two players have the same name');
  if (!Number.isInteger(cardsEach) || cardsEach < 1) throw new Error('cardsEach must be a positive whole number');
  if (players.length * cardsEach > 52) throw new Error(`${players.length} × ${cardsEach} cards are more than 52`);

  const deck = shuffle(SUITS.flatMap((suit) => RANKS.map((rank) => rank + suit)), words(seed, round));
  // Dealt one at a time, around the table.
  const hands = players.map((player, seat) => ({
    player,
    cards: Array.from({ length: cardsEach }, (_, turn) => deck[turn * players.length + seat]),
  }));
  return {
    round,
    hands,
    remaining: deck.length - players.length * cardsEach,
    seedHash: crypto.sha256(seed),
    deckHash: crypto.sha256(`${seed}|${round}|${deck.join(' ')}`),
  };
}
