// Groups the rows of a CSV text and gives each group's count, sums and averages; the rows themselves stay inside. Groups
// with fewer than minGroupSize rows are only counted, since a sum over one row is that row.
//   neocompute run examples/csv-aggregate.js --input examples/csv-aggregate.input.json

// RFC 4180: fields in quotes may hold commas, line breaks and doubled quotes.
function parseCsv(text) {
  const rows = [];
  let row = [], field = '', quoted = false;
  const endField = () => { row.push(field); field = ''; };
  const endRow = () => { endField(); rows.push(row); row = []; };

  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') field += c;
      else if (text[i + 1] === '"') { field += '"'; i++; }
      else quoted = false;
    } else if (c === '"' && field === '') quoted = true;
    else if (c === ',') endField();
    else if (c === '\n') endRow();
    else if (c !== '\r' || text[i + 1] !== '\n') field += c;
  }
  if (quoted) throw new Error('csv ends inside a quoted field');
  if (field !== '' || row.length > 0) endRow();
  return rows.filter((cells) => cells.length > 1 || cells[0] !== '');
}

// "1,234.50" and "-7" are numbers, an empty cell is no value, all else is an error.
function parseAmount(text, line, column) {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  if (!/^-?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?$/.test(trimmed)) throw new Error(`record ${line}: ${column} is not a number`);
  return Number(trimmed.replaceAll(',', ''));
}

const round = (x) => Math.round(x * 1e6) / 1e6;

function main(input) {
  const { csv, groupBy, sum = [], average = [], minGroupSize = 1 } = input;
  if (typeof csv !== 'string') throw new Error('csv must be a text');
  if (!Array.isArray(sum) || !Array.isArray(average)) throw new Error('sum and average must be lists of columns');
  const [header, ...records] = parseCsv(csv);
  if (header === undefined) throw new Error('csv has no header line');

  const columns = [...new Set([...sum, ...average])];
  const position = new Map(header.map((name, index) => [name.trim(), index]));
  for (const name of [groupBy, ...columns]) {
    if (!position.has(name)) throw new Error(`csv has no column "${name}"`);
  }

  const groups = new Map();
  records.forEach((cells, index) => {
    const line = index + 2;
    if (cells.length !== header.length) throw new Error(`record ${line}: ${cells.length} fields, not ${header.length}`);
    const key = cells[position.get(groupBy)].trim();
    const group = groups.get(key) ?? { rows: 0, totals: new Map(columns.map((name) => [name, { sum: 0, count: 0 }])) };
    groups.set(key, group);
    group.rows++;
    for (const [name, total] of group.totals) {
      const amount = parseAmount(cells[position.get(name)], line, name);
      if (amount !== null) { total.sum += amount; total.count++; }
    }
  });

  const shown = [...groups].filter(([, { rows }]) => rows >= minGroupSize).sort(([a], [b]) => (a < b ? -1 : 1));
  console.info(`${records.length} rows in ${groups.size} groups`);
  return {
    groups: shown.map(([key, { rows, totals }]) => ({
      [groupBy]: key,
      rows,
      sum: Object.fromEntries(sum.map((name) => [name, round(totals.get(name).sum)])),
      average: Object.fromEntries(average.map((name) => {
        const { sum: total, count } = totals.get(name);
        return [name, count > 0 ? round(total / count) : null];
      })),
    })),
    rows: records.length,
    smallGroups: groups.size - shown.length,
  };
}
