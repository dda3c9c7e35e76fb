import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { niceCeiling } from '../../../app/report/html/chart.ts';
import { renderHtml } from '../../../app/report/html/page.ts';
import { COLORS } from '../../../app/report/html/style.ts';
import { HTML_KEYS_MAX } from '../../../app/report/html/key-table.ts';
import { entityId } from '../../../core/types.ts';
import { HOSTILE_TEXTS, hostileReport } from './hostile.ts';
import { DAY, emptyReport, reportKey, richReport } from './sample.ts';

const VOID = new Set(['meta', 'br', 'input', 'link']);

type Tag = { readonly name: string; readonly attributes: ReadonlyMap<string, string> };

/**
 * A strict reader for the HTML that we write: every tag is closed in order, every attribute is quoted, every `<`
 * begins a tag and every `&` an entity. Written for this test; throws at the first fault. Gives all tags and the text.
 */
function read(page: string): { readonly tags: readonly Tag[]; readonly text: string } {
  const tags: Tag[] = [];
  const open: string[] = [];
  let text = '';
  let at = page.indexOf('>') + 1;
  if (!page.startsWith('<!doctype html>')) throw new Error('no doctype');
  while (at < page.length) {
    if (page[at] !== '<') {
      const next = page.indexOf('<', at);
      const part = page.slice(at, next < 0 ? page.length : next);
      if (part.includes('>')) throw new Error(`a loose > in: ${part.slice(0, 80)}`);
      const loose = part.replaceAll(/&(?:amp|lt|gt|quot|#39);/g, '');
      if (loose.includes('&')) throw new Error(`a loose & in: ${part.slice(0, 80)}`);
      text += part;
      at += part.length;
      continue;
    }
    const found = /^<(\/?)([a-z][a-z0-9]*)((?:\s+[a-z-]+(?:="[^"<>]*")?)*)\s*(\/?)>/i.exec(page.slice(at, at + 60_000));
    if (found === null) throw new Error(`no tag at: ${page.slice(at, at + 100)}`);
    const [whole, slash = '', name = '', attributes = '', selfClosing = ''] = found;
    at += whole.length;
    if (slash === '/') {
      const expected = open.pop();
      if (expected !== name) throw new Error(`</${name}> closes <${expected}>`);
      continue;
    }
    tags.push({ name, attributes: new Map([...attributes.matchAll(/([a-z-]+)(?:="([^"]*)")?/gi)].map(([, key = '', value = '']) => [key, value])) });
    if (name === 'style' || name === 'script') {
      at = page.indexOf(`</${name}>`, at) + name.length + 3;
      continue;
    }
    if (!VOID.has(name) && selfClosing === '') open.push(name);
  }
  if (open.length > 0) throw new Error(`not closed: ${open.join(', ')}`);
  return { tags, text };
}

const demo = {
  falseAlerts: 0,
  attacks: [
    { name: 'Brute force', label: 'network 198.51.100.0/24', startedAt: DAY, caughtBy: 'failed_auth', afterMs: 124_000 },
    { name: 'Slow exfiltration', label: 'support-desk', startedAt: DAY, caughtBy: null, afterMs: null, note: 'Below every hourly limit.' },
  ],
  messages: [{ channel: 'slack', at: DAY, subject: 'Critical: failed auth', text: 'line one\n  indented   columns\n<b>not bold</b>' }],
};
const rich = renderHtml(richReport(), { madeAt: DAY, demo });

describe('the page', () => {
  test('is well-formed: every tag closed in order, every attribute quoted', () => {
    expect(read(rich).tags.length).toBeGreaterThan(1000);
    expect(read(renderHtml(emptyReport())).tags.length).toBeGreaterThan(10);
  });

  test('the reader of this test refuses what is broken', () => {
    for (const bad of ['<p>', '<p></div></p>', '<p>a < b</p>', '<p>a & b</p>', '<p title=x></p>', '<p title="a"b"></p>'])
      expect(() => read(`<!doctype html>${bad}`)).toThrow(/loose|no tag|closes|not closed/);
  });

  test('needs nothing from anywhere: no address, no import, no resource', () => {
    const { tags } = read(rich);
    const resources = tags.filter((tag) =>
      ['link', 'img', 'iframe', 'object', 'embed', 'base', 'image', 'use', 'source', 'video', 'audio', 'form'].includes(tag.name),
    );
    expect(resources).toEqual([]);
    for (const tag of tags) {
      for (const [name, value] of tag.attributes) {
        if (name === 'href') expect(value).toMatch(/^#alert-\d+$/);
        expect(name).not.toMatch(/^(?:src|srcset|action|data|poster|xlink:href|ping|background|on.*)$/);
      }
    }
    const style = /<style>(.*?)<\/style>/s.exec(rich)?.[1] ?? '';
    expect(style.length).toBeGreaterThan(1000);
    expect(style).not.toMatch(/url\(|@import|https?:|\/\//);
    expect(rich.replaceAll('&#39;', '')).not.toMatch(/https?:\/\//);
  });

  test('its policy allows its own script and nothing else', () => {
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(rich)?.[1] ?? '';
    const scripts = [...rich.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, body = '']) => body);
    expect(scripts.length).toBe(1);
    expect(policy.split('; ')).toEqual([
      "default-src 'none'",
      "style-src 'unsafe-inline'",
      `script-src 'sha256-${createHash('sha256')
        .update(scripts[0] ?? '')
        .digest('base64')}'`,
      "base-uri 'none'",
      "form-action 'none'",
    ]);
    // The policy must come before anything that it is to stop.
    expect(rich.indexOf('Content-Security-Policy')).toBeLessThan(rich.indexOf('<style>'));
  });

  test('everything is readable without the script', () => {
    const { text } = read(rich);
    for (const part of [
      'billing-worker',
      '1,320 requests in a minute',
      'What this log cannot show',
      'no request size',
      'Not counted',
      '500 / 1,000 requests in 1 min',
    ])
      expect(text).toContain(part);
    expect(rich.slice(0, rich.indexOf('<script>'))).not.toContain('<input');
  });

  test('every figure has a caption that says in a sentence what it shows, every picture a label', () => {
    const { tags } = read(rich);
    expect(tags.filter((tag) => tag.name === 'figure').length).toBe(5);
    expect(tags.filter((tag) => tag.name === 'figcaption').length).toBe(5);
    const pictures = tags.filter((tag) => tag.name === 'svg' && tag.attributes.get('aria-hidden') !== 'true');
    expect(pictures.length).toBeGreaterThan(5);
    for (const picture of pictures) expect(picture.attributes.get('aria-label')?.length ?? 0).toBeGreaterThan(10);
    expect(rich).toContain('At most 16.1k per 15 min, at 2026-03-11 14:00 UTC.');
    expect([...rich.matchAll(/<th[ >]/g)].length).toBe([...rich.matchAll(/<th scope="(?:col|row)"/g)].length);
  });

  test('the alert marks lead to rows that exist', () => {
    const { tags } = read(rich);
    const ids = new Set(tags.flatMap((tag) => tag.attributes.get('id') ?? []));
    const links = tags.filter((tag) => tag.name === 'a').map((tag) => (tag.attributes.get('href') ?? '').slice(1));
    expect(links.length).toBeGreaterThanOrEqual(5);
    expect(links.filter((link) => !ids.has(link))).toEqual([]);
  });

  test('shows the first 500 keys and says how many more there are', () => {
    const report = richReport();
    expect([...rich.matchAll(/<tr data-find=/g)].length).toBe(HTML_KEYS_MAX);
    expect(rich).toContain(`the 500 with most requests; ${report.keys.length - 500} more are in keywatch analyze --json`);
    expect(Buffer.byteLength(rich)).toBeLessThan(1_000_000);
  });

  test('a million keys make no larger page and are not walked through for it', () => {
    let made = 0;
    const keys = {
      length: 1_000_000,
      *[Symbol.iterator]() {
        for (let i = 0; i < 2000; i++) {
          made++;
          yield reportKey(entityId('key', `k${i}`), { requests: 5000 - i });
        }
      },
    };
    const page = renderHtml(emptyReport({ totals: { ...emptyReport().totals, events: 1, requests: 1 }, keys }));
    expect(page).toContain('999,500 more are in');
    // Once for the numbers of each kind, once for the first 500.
    expect(made).toBe(2500);
  });
});

describe('hostile text', () => {
  test('never becomes markup: the same tags whatever traffic wrote', () => {
    const shape = (text: string): string =>
      read(renderHtml(hostileReport(text)))
        .tags.map((tag) => `${tag.name} ${[...tag.attributes.keys()].join(' ')}`)
        .join('\n');
    const harmless = shape('harmless');
    expect(HOSTILE_TEXTS.filter((text) => shape(text) !== harmless)).toEqual([]);
  });

  test('loses its control and bidi characters', () => {
    const shown = HOSTILE_TEXTS.filter((text) => /[\p{Cc}\u200b\u202a-\u202e\u2066-\u2069\p{Cs}]/u.test(renderHtml(hostileReport(text)).replaceAll('\n', '')));
    expect(shown).toEqual([]);
  });

  test('a script in a path is shown as the text it is', () => {
    expect(renderHtml(hostileReport('<script>alert("x")</script>'))).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;');
  });

  test('a message of a channel keeps its lines and columns, and stays text', () => {
    expect(rich).toContain('<pre>line one\n  indented   columns\n&lt;b&gt;not bold&lt;/b&gt;</pre>');
  });
});

describe('the demo part', () => {
  test('says what was caught by which rule after how long, and what was not and why', () => {
    const { text } = read(rich);
    expect(text).toContain('1 of 2 caught, no false alert');
    expect(text).toContain('2 min 4 s');
    expect(text).toContain('not caught');
    expect(text).toContain('Below every hourly limit.');
    expect(text).toContain('The shipped thresholds raised 5 alerts');
  });

  test('is absent from an ordinary report', () => {
    const { text } = read(renderHtml(richReport()));
    expect(text).not.toContain('Injected attacks');
    expect(text).toContain('The shipped thresholds would have raised 5 alerts');
  });
});

test('an empty report says why and what to try, without empty charts', () => {
  const page = renderHtml(emptyReport({ source: { names: ['x'], files: 1, bytes: 9, records: 9 }, totals: { ...emptyReport().totals, rejected: 9 } }));
  expect(page).toContain('No events were found.');
  expect(page).toContain('--format combined');
  expect(page).not.toContain('<figure');
});

describe('colours', () => {
  /** Relative luminance and contrast as WCAG 2.2 defines them. */
  function luminance(hex: string): number {
    const [r = 0, g = 0, b = 0] = [1, 3, 5]
      .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  function contrast(a: string, b: string): number {
    const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  }

  test('the measure of this test knows black on white', () => expect(contrast('#000000', '#ffffff')).toBeCloseTo(21, 5));

  const surfaces = ['page', 'card', 'raised', 'redSoft', 'amberSoft', 'greenSoft'] as const;
  test.each(['text', 'muted'] as const)('%s can be read on every surface, in both themes', (name) => {
    for (const theme of [0, 1] as const) expect(surfaces.filter((surface) => contrast(COLORS[name][theme], COLORS[surface][theme]) < 4.5)).toEqual([]);
  });
  test.each([
    ['accent', 'card'],
    ['accent', 'page'],
    ['red', 'card'],
    ['red', 'redSoft'],
    ['amber', 'card'],
    ['amber', 'amberSoft'],
    ['green', 'greenSoft'],
  ] as const)('%s can be read on %s, in both themes', (name, surface) => {
    for (const theme of [0, 1] as const) expect(contrast(COLORS[name][theme], COLORS[surface][theme])).toBeGreaterThanOrEqual(4.5);
  });
  test.each(['requests', 'errors', 'refused', 'bytes', 'ok', 'redirect', 'neutral'] as const)(
    'the bars of %s stand out from the card, in both themes',
    (name) => {
      for (const theme of [0, 1] as const) expect(contrast(COLORS[name][theme], COLORS.card[theme])).toBeGreaterThanOrEqual(3);
    },
  );
});

test('axes end at numbers that people read easily', () => {
  expect([0, 1, 3, 7, 12, 96, 387, 16_100, 1_000_000].map((value) => niceCeiling(value, 'count'))).toEqual([2, 2, 4, 8, 20, 100, 400, 20_000, 1_000_000]);
  const MB = 1024 ** 2;
  expect([70 * MB, 700 * MB, 1000 * MB].map((value) => niceCeiling(value, 'bytes') / MB)).toEqual([80, 800, 1000]);
});
