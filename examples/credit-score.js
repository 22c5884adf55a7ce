// A credit decision that shows neither side's hand: the applicant's figures and the lender's model go in, only the band
// and the reason codes come out. Errors name a field, never its value.
//   neocompute run examples/credit-score.js --input examples/credit-score.input.json \
//     --secret SCORE_MODEL="$(jq -r .SCORE_MODEL examples/credit-score.secrets.json)"

const FIELDS = {
  monthlyIncome: { min: 1, max: 1e7 },
  monthlyDebtPayments: { min: 0, max: 1e7 },
  cardBalance: { min: 0, max: 1e8 },
  cardLimit: { min: 0, max: 1e8 },
  latePayments24m: { min: 0, max: 1000 },
  employedMonths: { min: 0, max: 1200 },
  oldestAccountMonths: { min: 0, max: 1200 },
  inquiries6m: { min: 0, max: 1000 },
};

function readApplicant(applicant) {
  if (typeof applicant !== 'object' || applicant === null) throw new Error('applicant must be an object');
  for (const [name, { min, max }] of Object.entries(FIELDS)) {
    const value = applicant[name];
    if (!Number.isFinite(value) || value < min || value > max) {
      throw new Error(`applicant.${name} must be a number from ${min} to ${max}`);
    }
  }
  return applicant;
}

function readModel(text) {
  if (text === undefined) throw new Error('the secret SCORE_MODEL is missing');
  let model;
  try {
    model = JSON.parse(text);
  } catch {
    throw new Error('the secret SCORE_MODEL is not JSON'); // the parser's own message would quote the secret
  }
  if (!model || !Array.isArray(model.features) || !Array.isArray(model.bands) || !Number.isFinite(model.base)) {
    throw new Error('the secret SCORE_MODEL needs base, features and bands');
  }
  return model;
}

function featuresOf(applicant) {
  return {
    debtToIncome: applicant.monthlyDebtPayments / applicant.monthlyIncome,
    utilization: applicant.cardLimit > 0 ? applicant.cardBalance / applicant.cardLimit : 1,
    latePayments: applicant.latePayments24m,
    employedMonths: applicant.employedMonths,
    oldestAccountMonths: applicant.oldestAccountMonths,
    inquiries: applicant.inquiries6m,
  };
}

function main(input, secrets) {
  const applicant = readApplicant(input.applicant);
  const model = readModel(secrets.SCORE_MODEL);
  const values = featuresOf(applicant);

  // Each feature earns from 0 to `points`, on a straight line from its worst to its best value.
  let score = model.base;
  const losses = [];
  for (const { name, worst, best, points, reason } of model.features) {
    if (values[name] === undefined) throw new Error('the model uses a feature this script does not compute');
    const share = Math.min(1, Math.max(0, (values[name] - worst) / (best - worst)));
    score += points * share;
    losses.push({ reason, lost: points * (1 - share) });
  }

  const band = model.bands.find(({ from }) => score >= from); // the best band comes first
  if (band === undefined) throw new Error('the model has no band for this score');
  const reasonCodes = losses
    .filter(({ lost }) => lost >= model.reasonThreshold)
    .sort((a, b) => b.lost - a.lost || (a.reason < b.reason ? -1 : 1))
    .slice(0, 3)
    .map(({ reason }) => reason);
  return { band: band.name, reasonCodes };
}
