// Makes a manual page of its Markdown source: `node tools/man.mjs docs/neocompute.1.md OUT.1`. The page is plain ASCII man(7).
// The source opens with <!-- man NAME SECTION DATE "MANUAL" --> and uses only: ## and ### headings, paragraphs, ``` blocks, lists
// (an item whose first line ends in a backslash is a term and its text), `code`, **bold**, *italic*, [text](address), &nbsp;.
import { readFileSync, writeFileSync } from 'node:fs';

const CODE_MARKS = { '-': '\\-', "'": '\\(aq', '`': '\\(ga', '^': '\\(ha', '~': '\\(ti', '"': '\\(dq' };

const ascii = (text) => text.replace(/[^\x20-\x7e\n]/gu, (c) => `\\[u${c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`);
const prose = (text) => ascii(text.replace(/\\/g, '\\e').replace(/[\^~]/g, (c) => CODE_MARKS[c]).replace(/ - /g, ' \\- '));
// As typed: no quotation mark or hyphen of the typesetter's.
const literal = (text) => ascii(text.replace(/\\/g, '\\e').replace(/[-'`^~"]/g, (c) => CODE_MARKS[c]));
// A line that begins with a full stop or an apostrophe would be a request.
const finish = (line) => (/^[.']/.test(line) ? '\\&' : '') + line.replace(/&nbsp;/g, '\\ ');

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\(([^)]+)\)/g;

function inline(text) {
  let out = '', from = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, bold, italic, label, address] = match;
    out += prose(text.slice(from, match.index));
    if (code !== undefined) out += `\\fB${literal(code)}\\fR`;
    else if (bold !== undefined) out += `\\fB${literal(bold)}\\fR`;
    else if (italic !== undefined) out += `\\fI${literal(italic)}\\fR`;
    else out += prose(label) + (/^https?:/.test(address) ? ` <${literal(address)}>` : '');
    from = match.index + whole.length;
  }
  return out + prose(text.slice(from));
}

// A sentence begins a line, as troff likes it, and lines have at most 79 characters.
function filled(lines) {
  const out = [];
  for (const sentence of inline(lines.map((line) => line.trim()).join(' ')).split(/(?<=[.?!]) (?=[A-Z`\\])/)) {
    let line = '';
    for (const word of sentence.split(' ')) {
      const longer = line === '' ? word : `${line} ${word}`;
      if (longer.length > 79 && line !== '') out.push(line);
      line = longer.length > 79 ? word : longer;
    }
    out.push(line);
  }
  return out.map((line) => finish(line.replace(/\.\.\.$/, '...\\&'))); // an ellipsis ends no sentence
}

// The blocks of the source: {kind: 'heading'|'code'|'text'|'item', indent, lines}.
function parse(source) {
  const blocks = [];
  let open = null;
  for (const line of source.split('\n')) {
    const text = line.trim(), indent = line.search(/\S/);
    if (open?.kind === 'code') {
      if (text === '```') open = null;
      else open.lines.push(line.slice(open.indent));
      continue;
    }
    const kind = text.startsWith('```') ? 'code' : /^##+ /.test(text) ? 'heading' : /^- /.test(text) ? 'item' : 'text';
    if (text === '') open = null;
    else if (kind === 'text' && open) open.lines.push(text);
    else blocks.push(open = { kind, indent, lines: kind === 'code' ? [] : [text] });
    if (kind === 'heading') open = null;
  }
  return blocks;
}

const WRITERS = {
  heading({ lines: [line] }) {
    const [, marks, title] = /^(##+) (.*)$/.exec(line);
    return [`.${marks === '##' ? 'SH' : 'SS'} "${inline(title)}"`];
  },
  // .EE turns hyphenation on again.
  code: ({ lines }) => ['.PP', '.RS 4', '.EX', ...lines.map((line) => finish(literal(line))), '.EE', '.nh', '.RE'],
  // Inside an item a paragraph keeps the item's indent.
  text: ({ indent, lines }) => [indent > 0 ? '.IP' : '.PP', ...filled(lines)],
  item({ lines: [first, ...rest] }) {
    const text = first.slice(2);
    return text.endsWith('\\') ? ['.TP', finish(inline(text.slice(0, -1))), ...filled(rest)] : ['.IP \\(bu 2', ...filled([text, ...rest])];
  },
};

function page(source, version) {
  const [, name, section, date, manual] = /^<!-- man (\S+) (\d) (\S+) "(.*)" -->/.exec(source);
  const body = parse(source.slice(source.indexOf('\n## ')));
  const head = `.TH ${name.toUpperCase()} ${section} ${date} "${version}" "${manual}"`;
  const text = ['.\\" Made by tools/man.mjs. Do not edit.', head, '.nh', '.ad l', ...body.flatMap((block) => WRITERS[block.kind](block)), ''];
  return text.join('\n').replace(/^(\.S[HS] .*\n)\.PP\n/gm, '$1'); // a heading begins its own paragraph
}

const [input, output] = process.argv.slice(2);
if (!output) {
  console.error('usage: node tools/man.mjs IN.md OUT');
  process.exit(2);
}
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
writeFileSync(output, page(readFileSync(input, 'utf8'), `NeoCompute ${version}`));
