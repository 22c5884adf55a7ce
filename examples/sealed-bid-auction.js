// A sealed-bid second-price (Vickrey) auction: the highest bid wins and pays the second highest, or the reserve if there
// is no second. Each bidder first published a commitment sha256(bid|salt), where bid is BIDDER:AMOUNT (with the name in
// it, a rival's commitment is worth nothing to a copier). A bid that does not open its commitment does not count. Of the
// losing bids nothing comes out but the price.
//   neocompute run examples/sealed-bid-auction.js --input examples/sealed-bid-auction.input.json

const commitmentOf = ({ bidder, amount, salt }) => crypto.sha256(`${bidder}:${amount}|${salt}`);

function checkBid(bid, index) {
  const what = `bids[${index}]`;
  if (typeof bid !== 'object' || bid === null) throw new Error(`${what} must be an object`);
  const { bidder, sequence, commitment } = bid;
  if (typeof bidder !== 'string' || !/^[\w.-]{1,64}$/.test(bidder)) throw new Error(`${what}.bidder must be a name`);
  if (!Number.isSafeInteger(sequence)) throw new Error(`${what}.sequence must be its commitment's number`);
  if (!/^[0-9a-f]{64}$/.test(commitment)) throw new Error(`${what}.commitment must be 64 hexadecimal digits`);
}

// Why a bid does not count, or null. A bidder's mistake voids that bid, it does not stop the auction.
function fault(bid, reserve) {
  if (bid.amount === undefined || bid.salt === undefined) return 'not opened';
  if (!Number.isSafeInteger(bid.amount) || bid.amount <= 0) return 'amount is not a positive whole number of cents';
  if (typeof bid.salt !== 'string' || bid.salt.length < 16) return 'salt is shorter than 16 characters';
  if (commitmentOf(bid) !== bid.commitment) return 'does not match its commitment';
  if (bid.amount < reserve) return 'below the reserve';
  return null;
}

function unique(bids, key) {
  if (new Set(bids.map((bid) => bid[key])).size !== bids.length) throw new Error(`two bids have the same ${key}`);
}

function main(input) {
  const { item, reserveCents, bids } = input;
  if (typeof item !== 'string' || item === '') throw new Error('item must be a description');
  if (!Number.isSafeInteger(reserveCents) || reserveCents < 0) throw new Error('reserveCents must be a whole number');
  if (!Array.isArray(bids)) throw new Error('bids must be an array');
  bids.forEach(checkBid);
  unique(bids, 'bidder');
  unique(bids, 'sequence');

  const rejected = [];
  const valid = bids.filter((bid) => {
    const reason = fault(bid, reserveCents);
    if (reason !== null) rejected.push({ bidder: bid.bidder, reason });
    return reason === null;
  });
  // Equal bids: whoever committed first.
  valid.sort((a, b) => b.amount - a.amount || a.sequence - b.sequence);

  const outcome = { item, bids: bids.length, validBids: valid.length, rejected };
  if (valid.length === 0) return { ...outcome, sold: false };

  const [first, second] = valid;
  return {
    ...outcome,
    sold: true,
    winner: first.bidder,
    winningCommitment: first.commitment,
    priceCents: second === undefined ? reserveCents : second.amount,
    tie: second !== undefined && second.amount === first.amount,
  };
}
