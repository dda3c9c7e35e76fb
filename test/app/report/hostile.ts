import { entityId } from '../../../core/types.ts';
import type { AnalyzeReport } from '../../../app/report/report.ts';
import { DAY, emptyReport, reportKey, richReport, sampleAlert } from './sample.ts';

/** What traffic can put into a path, an agent or a user name. */
export const HOSTILE_TEXTS: readonly string[] = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '\u001b[2J\u001b]0;owned\u0007 red',
  'txt.exe\u202egnp',
  'zero\u200bwidth\u2066\u2069',
  'line\nbreak\r\nagain\ttab',
  '漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字',
  '👩‍👩‍👧‍👦🇩🇪e\u0301',
  `z${'\u0300'.repeat(60)}algo`,
  '\ud800 lone',
  'x'.repeat(5000),
  '</style></title>--></textarea>]]>&amp;',
  'javascript:alert(1)',
  'https://evil.example/?a=1&b=2',
  '{{7*7}} #{7*7} %00 \\u003cscript>',
];

const rich = richReport();

/** A report in which every text that traffic can write is `text`. */
export function hostileReport(text: string): AnalyzeReport {
  const client = entityId('client', text);
  return emptyReport({
    source: { names: [text, text], files: 3, bytes: 10, records: 10 },
    formats: { combined: 10 },
    range: { from: DAY, to: DAY + 1000 },
    totals: { ...rich.totals, events: 10, rejected: 1 },
    activity: rich.activity,
    keys: [reportKey(client, { label: text, series: [1, 2, 3] }), reportKey(entityId('user', text), { label: text })],
    networks: [{ id: entityId('network', text), label: text, failedAuth: 1, credentials: null, first: DAY, last: DAY }],
    top: {
      routes: [{ value: text, requests: 3, failed: 0 }],
      agents: [{ value: text, requests: 2, failed: 1 }],
      countries: [{ value: text, requests: 1, failed: 0 }],
    },
    alerts: [
      sampleAlert({
        rule: 'request_rate',
        entity: client,
        label: text,
        severity: 'critical',
        from: DAY,
        minutes: 3,
        why: `Too many. ${text}`,
        observed: 5,
        expected: 4,
        action: text,
      }),
      sampleAlert({
        rule: 'data_transfer',
        entity: client,
        label: text,
        severity: 'low',
        from: DAY,
        minutes: 3,
        state: 'firing',
        why: 'W.',
        observed: 5,
        expected: 4,
        action: 'review usage',
      }),
    ],
    rules: [{ rule: 'request_rate', alerts: 1, criticals: 1, keys: 1, description: text }],
    rejects: [{ reason: 'bad_json', count: 1, first: { source: text, position: 9 } }],
    coverage: [{ source: text, format: text, blind: ['no request size: it is not there'] }],
    problems: [text],
  });
}
