import { stripVTControlCharacters, styleText } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { activityChart } from '../../../app/report/chart-text.ts';
import { type AnalyzeReport, activityGrid } from '../../../app/report/report.ts';
import { renderTerminal } from '../../../app/report/terminal.ts';
import type { Paint } from '../../../app/cli/style.ts';
import { entityId } from '../../../core/types.ts';
import { HOUR_MS, MINUTE_MS } from '../../../core/window.ts';
import { HOSTILE_TEXTS, hostileReport } from './hostile.ts';
import { DAY, emptyReport, reportKey, richReport, sampleAlert, withoutSuggestions } from './sample.ts';

const plain: Paint = (_style, text) => text;
const colored: Paint = (style, text) => styleText(style, text, { validateStream: false });

const lines = (report: AnalyzeReport, width?: number): readonly string[] => renderTerminal(report, { width, paint: plain }).split('\n');

/** Columns by a rule of its own: wide for CJK and emoji, nothing for marks, else one per code point; never less than a terminal takes. */
function columns(line: string): number {
  let width = 0;
  for (const char of line) {
    if (/[\p{Mn}\p{Me}\p{Cf}]/u.test(char)) continue;
    width += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/.test(char) || (char.codePointAt(0) ?? 0) >= 0x1f000 ? 2 : 1;
  }
  return width;
}

describe('the width of the terminal', () => {
  test('no line of a full report is wider than the terminal, from 40 to 140 columns', () => {
    const report = withoutSuggestions();
    for (let width = 40; width <= 140; width++) {
      expect(lines(report, width).filter((line) => columns(line) > width)).toEqual([]);
    }
  });

  test('no text from traffic makes a line wider', () => {
    for (const text of HOSTILE_TEXTS.filter((text) => !text.includes('👩')))
      for (const width of [40, 57, 80, 120]) expect(lines(hostileReport(text), width).filter((line) => columns(line) > width)).toEqual([]);
  });

  test('any text at any width keeps to it', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'b ', '漢', '\u202e', '\u001b[31m', '\n', '-', 'é', 'e\u0301'), maxLength: 120 }),
        fc.integer({ min: 40, max: 140 }),
        (text, width) => {
          return lines(hostileReport(text), width).every((line) => columns(line) <= width);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('unknown and endless widths count as 80, silly ones are kept within 40 and 140', () => {
    const report = withoutSuggestions();
    const at = (width: number | undefined): string => lines(report, width).join('\n');
    expect(at(undefined)).toBe(at(80));
    expect(at(Number.POSITIVE_INFINITY)).toBe(at(80));
    expect(at(3)).toBe(at(40));
    expect(at(9999)).toBe(at(140));
    expect(at(140)).not.toBe(at(80));
  });
});

describe('hostile text', () => {
  test('no control, bidi or zero-width character reaches the terminal', () => {
    const shown = HOSTILE_TEXTS.filter((text) =>
      /[\p{Cc}\u200b\u202a-\u202e\u2066-\u2069\p{Cs}]/u.test(renderTerminal(hostileReport(text), { width: 100, paint: plain }).replaceAll('\n', '')),
    );
    expect(shown).toEqual([]);
  });

  test('a line break in an agent starts no line of its own', () => {
    const shown = lines(hostileReport('evil\nTotals\n  requests 0'), 100);
    expect(shown.filter((line) => line === 'Totals').length).toBe(1);
  });
});

describe('colours', () => {
  test('only repeat what words say: without them the report is the same', () => {
    const report = richReport();
    const text = renderTerminal(report, { width: 100, paint: colored });
    expect(text).not.toBe(stripVTControlCharacters(text));
    expect(stripVTControlCharacters(text).replaceAll(/ +$/gm, '')).toBe(renderTerminal(report, { width: 100, paint: plain }));
  });
});

describe('what it says', () => {
  test('what the thresholds would have raised, per rule, and on how many keys', () => {
    const text = lines(withoutSuggestions(), 80).join('\n');
    expect(text).toContain('The shipped thresholds would have raised 5 alerts on 3 keys and 1 network.');
    expect(text).toMatch(/request rate +2 +1 +1 +500 \/ 1,000 requests in 1 min/);
    expect(text).toMatch(/error rate +1 +1 +1 +5 % \/ 10 % in 5 min/);
    expect(text).toMatch(/guessing +0 +0 +0/);
  });

  test('alerts of one rule on one key are told once, the most severe with its sentence and what to do', () => {
    const text = lines(withoutSuggestions(), 100).join('\n');
    expect(text.match(/CRITICAL {2}request rate/g)?.length).toBe(1);
    expect(text).toContain('1,320 requests in a minute, over the limit of 1,000.');
    expect(text).toContain('2 alerts, 2026-03-11 09:06 to 14:34. To do: apply rate limiting.');
    expect(text).not.toContain('540 requests in a minute');
    expect(text.indexOf('CRITICAL  error rate')).toBeLessThan(text.indexOf('MEDIUM  data transfer'));
    expect(text).toContain('open where the log ends');
  });

  test('a quiet log is said to be quiet', () => {
    const report = emptyReport({ totals: { ...emptyReport().totals, events: 1, requests: 1 }, keys: [reportKey(entityId('key', 'a'))] });
    expect(lines(report, 80).join('\n')).toContain('The shipped thresholds would have raised no alert.');
  });

  test('a client is never called a key', () => {
    const keys = [reportKey(entityId('client', '192.0.2.1 curl/8'), { label: '192.0.2.1 curl/8' })];
    const alerts = [
      sampleAlert({
        rule: 'request_rate',
        entity: entityId('client', '192.0.2.1 curl/8'),
        label: '192.0.2.1 curl/8',
        severity: 'medium',
        from: DAY,
        minutes: 1,
        why: 'W.',
        observed: 1,
        expected: 1,
        action: 'a',
      }),
    ];
    const text = lines(emptyReport({ totals: { ...emptyReport().totals, events: 1, requests: 1 }, keys, alerts }), 80).join('\n');
    expect(text).toMatch(/^Clients {2}1$/m);
    expect(text).toContain('1 by 1 client');
    expect(text).toContain('raised 1 alert on 1 client.');
    expect(text).not.toMatch(/\bkeys?\b/);
  });

  test('--top decides how many keys are listed, and the rest is counted', () => {
    const text = renderTerminal(richReport(), { width: 80, paint: plain, top: 3 });
    expect(text).toContain('Top keys  3 of 640');
    expect(text).toContain('partner-acme');
    expect(text).not.toMatch(/^ {2}mobile-android/m);
  });

  test('unknown is unknown, never 0', () => {
    const report = emptyReport({
      totals: { ...emptyReport().totals, events: 1, requests: 1 },
      keys: [reportKey(entityId('key', 'a'), { bytesOut: null, clients: null })],
    });
    const text = lines(report, 120).join('\n');
    expect(text).toContain('received unknown, sent unknown');
    expect(text).toMatch(/latency +unknown/);
    expect(text).not.toMatch(/^ {2}name.*(sent|received|clients)/m);
  });

  test('rejected lines are counted with reason, first file and byte', () => {
    const text = lines(withoutSuggestions(), 100).join('\n');
    expect(text).toContain('Not counted  202 lines rejected, 12 lines passed over on purpose');
    expect(text).toMatch(/not valid JSON +180 +gateway\/access\.json\.1\.gz +1,882,310/);
    expect(text.indexOf('not valid JSON')).toBeLessThan(text.indexOf('time cannot be read'));
  });

  test('files with the same blind spots are named together', () => {
    const coverage = Array.from({ length: 40 }, (_, n) => ({
      source: `access.log.${n}`,
      format: 'combined',
      blind: ['no request size: uploads are not counted'],
    }));
    const text = lines(emptyReport({ totals: { ...emptyReport().totals, events: 1 }, coverage }), 80).join('\n');
    expect(text).toContain('access.log.0 and 39 more (combined)');
    expect(text.match(/no request size/g)?.length).toBe(1);
  });

  test('suggestions come as YAML that is not broken over lines', () => {
    const text = renderTerminal(richReport(), { width: 40, paint: plain });
    expect(text).toContain('\nkeys:\n  - id: kf1_');
    expect(text).toContain('      request_rate: { warning: 700, critical: 1400 }\n');
  });
});

describe('an empty report says what to do', () => {
  const text = (report: AnalyzeReport): string => lines(report, 200).join('\n');

  test('no file', () => expect(text(emptyReport({ source: { names: [], files: 0, bytes: 0, records: 0 } }))).toContain('No file was read. Check the names'));
  test('no line', () => expect(text(emptyReport())).toContain('The input holds no lines.'));
  test('nothing readable: reasons and the options that help', () => {
    const shown = text(
      emptyReport({
        source: { names: ['x'], files: 1, bytes: 10, records: 9 },
        totals: { ...emptyReport().totals, rejected: 9 },
        rejects: [{ reason: 'not_this_format', count: 9, first: { source: 'x', position: 0 } }],
      }),
    );
    expect(shown).toContain('9 lines read, none of them could be read as an access event.');
    expect(shown).toContain('--format');
    expect(shown).toMatch(/not in the format of its file +9 +x +0/);
  });
  test('nothing in range', () =>
    expect(text(emptyReport({ source: { names: ['x'], files: 1, bytes: 10, records: 9 } }))).toContain('none inside the asked time range'));
  test('no table, chart or alert is drawn of nothing', () => expect(text(emptyReport())).not.toMatch(/Totals|Alerts|Requests/));
});

describe('the chart', () => {
  const grid = activityGrid(DAY, DAY + HOUR_MS - 1);
  const zero = new Array<number>(grid.buckets).fill(0);

  test('a single busy minute among silence is drawn, however narrow the chart', () => {
    const requests = zero.with(37, 1000);
    const shown = activityChart({ grid, requests, errors: zero, failedAuth: zero, bytesOut: null }, [], { width: 30, paint: plain });
    expect(shown.slice(0, 4).join('').replaceAll(/[^█]/g, '').length).toBe(4);
  });

  test('one request beside a thousand is still seen, silence is not', () => {
    const requests = zero.with(0, 1).with(10, 1000);
    const bottom = activityChart({ grid, requests, errors: zero, failedAuth: zero, bytesOut: null }, [], { width: 80, paint: plain })[3] ?? '';
    expect(bottom.replace(/^.*│/, '').trimEnd()).toBe('▁         █');
  });

  test('a mark stands under the minute in which its alert began', () => {
    const shown = activityChart({ grid, requests: zero.with(20, 5), errors: zero, failedAuth: zero, bytesOut: null }, [DAY + 20 * MINUTE_MS + 30_000], {
      width: 80,
      paint: plain,
    });
    expect(shown.at(-1)?.indexOf('▲')).toBe(shown[3]?.indexOf('█'));
  });

  test('few buckets fill the width', () => {
    const two = activityGrid(DAY, DAY + 2 * MINUTE_MS - 1);
    const shown = activityChart({ grid: two, requests: [5, 5], errors: [0, 0], failedAuth: [0, 0], bytesOut: null }, [], { width: 60, paint: plain });
    expect((shown[3] ?? '').length).toBeGreaterThan(50);
  });
});
