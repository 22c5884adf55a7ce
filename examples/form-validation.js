// Checks account applications and reports every fault, nested as the form is. An ES module.
// No value is repeated in the output: what was typed is personal data, what is wrong with it is not.
//   neocompute run examples/form-validation.js --input examples/form-validation.input.json

const IBAN_LENGTHS = { AT: 20, BE: 16, CH: 21, DE: 22, ES: 24, FR: 27, GB: 22, IE: 22, IT: 27, NL: 18, PL: 28, SE: 24 };
const EMAIL = /^[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/i;

// ISO 13616: the first four characters go to the end, letters count as 10 to 35, and the whole is 1 modulo 97.
function ibanCheck(text) {
  const iban = text.replace(/ /g, '').toUpperCase();
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]+$/.test(iban)) return 'must be a country code, two check digits and an account';
  const length = IBAN_LENGTHS[iban.slice(0, 2)];
  if (length === undefined) return 'is of a country that is not served';
  if (iban.length !== length) return `must have ${length} characters`;
  let rest = 0;
  for (const c of iban.slice(4) + iban.slice(0, 4)) {
    const value = parseInt(c, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1 ? null : 'has wrong check digits';
}

// A calendar date as {year, month, day}, or null: 2023-02-29 has the right form and does not exist.
function calendarDate(text) {
  const [, year, month, day] = (/^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? []).map(Number);
  const date = new Date(Date.UTC(year, month - 1, day));
  const exists = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return exists ? { year, month, day } : null;
}

function birthDateCheck(text, today) {
  const born = calendarDate(text);
  if (born === null) return 'must be a date such as 1990-04-30';
  const age = today.year - born.year - (today.month * 100 + today.day < born.month * 100 + born.day ? 1 : 0);
  return age >= 18 && age <= 120 ? null : 'must be 18 to 120 years ago';
}

function websiteCheck(text) {
  let url;
  try { url = new URL(text); } catch { return 'must be a full address such as https://example.com/'; }
  if (url.protocol !== 'https:') return 'must begin with https://';
  if (url.username !== '' || url.password !== '') return 'must not contain a user name or password';
  return url.hostname.includes('.') ? null : 'must name a public host';
}

const emailCheck = (text) => (text.length <= 254 && EMAIL.test(text) ? null : 'must be an e-mail address');
const postcodeCheck = (text) => (/^[A-Z0-9][A-Z0-9 -]{1,9}$/i.test(text) ? null : 'must be 2 to 10 letters or digits');
const countryCheck = (text) => (/^[A-Z]{2}$/.test(text) ? null : 'must be two capital letters');
const bytesCheck = (max) => (text) => (new TextEncoder().encode(text).length <= max ? null : `must fit in ${max} bytes`);

const FORM = {
  name: bytesCheck(140),
  email: emailCheck,
  birthDate: birthDateCheck,
  website: websiteCheck,
  address: { street: bytesCheck(140), postcode: postcodeCheck, country: countryCheck },
  payment: { iban: ibanCheck, reference: bytesCheck(35) },
};

// Walks form and rules together; returns the faults in the form's own shape, or null.
function faults(value, rule, today) {
  if (typeof rule === 'function') {
    if (typeof value !== 'string' || value.trim() === '') return ['is required'];
    const fault = rule(value.trim(), today);
    return fault === null ? null : [fault];
  }
  if (typeof value !== 'object' || value === null) return ['is required'];
  const check = (key) => (Object.hasOwn(rule, key) ? faults(value[key], rule[key], today) : ['is not a known field']);
  const keys = [...new Set([...Object.keys(rule), ...Object.keys(value)])];
  const found = keys.map((key) => [key, check(key)]).filter(([, fault]) => fault !== null);
  return found.length > 0 ? Object.fromEntries(found) : null;
}

export default function main(input) {
  const today = calendarDate(input.today);
  if (today === null) throw new Error('today must be a date such as 2025-03-03');
  if (!Array.isArray(input.forms)) throw new Error('forms must be an array');
  const errors = input.forms.map((form) => faults(form, FORM, today));
  return { valid: errors.every((fault) => fault === null), errors };
}
