// The Grafana dashboard asks for metrics, labels and label values that /metrics has, and leaves none out.
// METRICS names a program that prints the metrics.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const dashboard = JSON.parse(readFileSync(new URL('../deploy/grafana/neocompute.json', import.meta.url), 'utf8'));
const lines = execFileSync(process.env.METRICS, { encoding: 'utf8', timeout: 10000 }).trimEnd().split('\n');

// name -> label -> set of values; a scraper adds the instance.
const series = new Map();
for (const line of lines.filter((l) => !l.startsWith('#'))) {
  const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line);
  if (!series.has(name)) series.set(name, new Map([['instance', new Set()]]));
  for (const [, label, value] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
    const values = series.get(name);
    if (!values.has(label)) values.set(label, new Set());
    values.get(label).add(value);
  }
}
const families = lines.filter((l) => l.startsWith('# TYPE ')).map((l) => l.split(' ')[2]);

const targets = dashboard.panels.flatMap((panel) => (panel.targets ?? []).map((t) => ({ panel: panel.title, ...t })));
const metricsOf = (expr) => [...expr.matchAll(/\b(?:neocompute|process)_\w+/g)].map(([name]) => name);

test('there is something to compare', () => {
  assert.ok(series.size > 20 && targets.length > 20);
});

test('every metric that is asked for exists', () => {
  for (const { panel, expr } of targets) {
    assert.ok(metricsOf(expr).length > 0, `${panel}: ${expr}`);
    for (const name of metricsOf(expr)) assert.ok(series.has(name), `${panel}: ${name}`);
  }
  for (const { query } of dashboard.templating.list) for (const name of metricsOf(query)) assert.ok(series.has(name), name);
});

test('every metric that exists is asked for', () => {
  const asked = new Set(targets.flatMap(({ expr }) => metricsOf(expr)));
  const of = (family) => ['', '_bucket', '_sum', '_count'].map((suffix) => family + suffix);
  for (const family of families) assert.ok(of(family).some((name) => asked.has(name)), family);
});

test('every label exists, with the values that are asked for', () => {
  for (const { panel, expr, legendFormat } of targets) {
    for (const [, name, matchers] of expr.matchAll(/(\w+)\{([^}]*)\}/g)) {
      for (const matcher of matchers.split(',')) {
        const [, label, operator, value] = /^(\w+)(=~|!=|!~|=)"(.*)"$/.exec(matcher);
        const values = series.get(name).get(label);
        assert.ok(values, `${panel}: ${name} has no label ${label}`);
        if (operator === '=') assert.ok(values.has(value), `${panel}: ${name}{${matcher}}`);
      }
    }
    const names = metricsOf(expr);
    const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list.split(/, */));
    for (const label of grouped) for (const name of names) assert.ok(series.get(name).has(label), `${panel}: by (${label})`);
    for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
      assert.ok(expr.includes('by (') ? grouped.includes(label) : series.get(names[0]).has(label), `${panel}: {{${label}}}`);
    }
  }
});

test('counters and histograms are asked for as rates, gauges as they are', () => {
  for (const { panel, expr } of targets) {
    for (const name of metricsOf(expr)) {
      const cumulative = /_(total|bucket|sum|count)$/.test(name);
      assert.equal(expr.includes(`rate(${name}{`), cumulative, `${panel}: ${name}`);
    }
  }
});

test('panels have numbers of their own and do not overlap', () => {
  assert.equal(new Set(dashboard.panels.map((p) => p.id)).size, dashboard.panels.length);
  const taken = new Set();
  for (const { title, gridPos: { x, y, w, h } } of dashboard.panels) {
    assert.ok(x + w <= 24, title);
    for (let row = y; row < y + h; row++) {
      for (let column = x; column < x + w; column++) {
        assert.ok(!taken.has(`${row}.${column}`), `${title} overlaps`);
        taken.add(`${row}.${column}`);
      }
    }
  }
});
