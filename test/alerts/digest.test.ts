import { describe, expect, test } from 'vitest';
import type { Alert } from '../../core/alert.ts';
import type { SinceDigest } from '../../alerts/since-digest.ts';
import { type DigestInput, digestText } from '../../alerts/digest.ts';
import { HOUR_MS, MINUTE_MS } from '../../core/window.ts';
import { T0, alertOf, finding } from './support/build.ts';

const since: SinceDigest = { from: T0 - 24 * HOUR_MS, nearMisses: {}, summedUp: 0, merged: 0, suppressed: {}, dead: 0, deadLetters: [] };
const coverage: DigestInput['coverage'] = { active: 12, judged: 12, judgedThrough: T0 - MINUTE_MS, gaps: 0, events: 120_000, rejected: 3 };

function text(parts: Partial<DigestInput> = {}): string {
  return digestText({ now: T0, since, alerts: [], coverage, queues: [], ...parts });
}

/** An alert that fired `minutesAgo` and, if given, ended after `lasted` minutes. */
function alert(id: string, minutesAgo: number, lasted?: number, parts: Partial<Alert> = {}): Alert {
  const startedAt = T0 - minutesAgo * MINUTE_MS;
  const end: Partial<Alert> = lasted === undefined ? {} : { state: 'resolved', resolvedAt: startedAt + lasted * MINUTE_MS };
  return alertOf({ id, startedAt, firedAt: startedAt, ...end, ...parts });
}

describe('daily digest', () => {
  test('an empty day says that it was watched', () => {
    expect(text().split('\n')).toEqual([
      '0 alerts since 2026-03-09 12:00:00 UTC, 0 open now.',
      '# Coverage',
      '- 12 of 12 active entities judged (100 %)',
      '- judged through 2026-03-10 11:59:00 UTC, 1 min ago',
      '- no gaps',
      '- 120,000 events counted, 3 records rejected',
    ]);
  });

  test('nothing judged yet is said so, never as a time', () => {
    expect(text({ coverage: { active: 0, judged: 0, gaps: 2, events: 0, rejected: 0 } })).toContain(
      '- 0 of 0 active entities judged\n- no window judged yet\n- 2 windows not judged\n',
    );
  });

  test('open ones, the worst first, then what fired, then by rule', () => {
    const medium = finding({ minute: 0 });
    const lines = text({
      alerts: [
        alert('a', 30, undefined, { severity: 'medium', score: 60, label: 'reports', finding: medium }),
        alert('b', 90),
        alert('c', 300, 25, { label: 'old-key', reopens: 2, rule: 'errors' }),
        alert('d', 24 * 60 + 10, 5, { label: 'yesterday' }),
        alert('near-miss', 10, 3, { label: 'near' }),
      ].map((each) => (each.id === 'near-miss' ? withoutFired(each) : each)),
    }).split('\n');
    expect(lines[0]).toBe('3 alerts since 2026-03-09 12:00:00 UTC, 2 open now.');
    expect(lines.slice(1, 4)).toEqual([
      '# Open now',
      '- critical `billing-export` `requests-per-minute`: firing for 1 h 30 min',
      '- medium `reports` `requests-per-minute`: firing for 30 min',
    ]);
    expect(lines).toContain('- critical `old-key` `errors`: 2026-03-10 07:00:00 UTC, over after 25 min, came back 2 times');
    expect(lines.slice(lines.indexOf('# By rule'), lines.indexOf('# By rule') + 3)).toEqual([
      '# By rule',
      '- `requests-per-minute`: 2 (1 critical, 1 medium)',
      '- `errors`: 1 (1 critical)',
    ]);
    expect(lines.join()).not.toMatch(/yesterday|near/);
  });

  test('what was not told one by one is counted by reason', () => {
    const low = alert('a', 30, 5, { severity: 'low' });
    const lines = text({ alerts: [low], since: { ...since, nearMisses: { errors: 3 }, summedUp: 40, merged: 1 } });
    expect(lines).toContain(
      '# Not sent one by one\n- 1 alert of severity low or info\n- 40 alerts in a summary of old traffic\n- 1 message merged, because too many waited for one channel\n- `errors`: over its limit 3 times without being confirmed',
    );
  });

  test('lost messages are listed, the newest first, and the rest counted', () => {
    const letter = (minute: number) => ({
      channel: 'slack',
      kind: 'severity_up' as const,
      at: T0 + minute * MINUTE_MS,
      reason: 'HTTP 404',
      label: `k${minute}`,
      severity: 'high' as const,
    });
    const lines = text({ since: { ...since, dead: 22, deadLetters: [letter(0), letter(1)] } }).split('\n');
    const at = lines.indexOf('# Messages that were given up');
    expect(lines.slice(at + 1, at + 4)).toEqual([
      '- `slack` 2026-03-10 12:01:00 UTC: severity up, high `k1`: `HTTP 404`',
      '- `slack` 2026-03-10 12:00:00 UTC: severity up, high `k0`: `HTTP 404`',
      '- 20 earlier ones',
    ]);
  });

  test('channels that do not work are named', () => {
    const lines = text({
      queues: [
        { channel: 'slack', queued: 4, failingSince: T0 - HOUR_MS },
        { channel: 'email', queued: 0, failingSince: undefined },
      ],
    });
    expect(lines).toContain('# Channels\n- `slack`: 4 messages waiting, failing since 2026-03-10 11:00:00 UTC\n# Coverage');
  });

  test('a long list is cut and says by how much', () => {
    const lines = text({ alerts: Array.from({ length: 40 }, (_, index) => alert(`a${index}`, 30, 5)) }).split('\n');
    expect(lines.filter((line) => line === '- and 30 more')).toHaveLength(1);
  });

  test('a label from traffic stays a label', () => {
    const lines = text({ alerts: [alert('a', 30, undefined, { label: '`\n# Heading <!channel> https://evil.example' })] }).split('\n');
    expect(lines[2]).toBe("- critical `' # Heading <!channel> https[:]//evil[.]example` `requests-per-minute`: firing for 30 min");
  });
});

function withoutFired(alert: Alert): Alert {
  return Object.fromEntries(Object.entries(alert).filter(([name]) => name !== 'firedAt')) as Alert;
}
