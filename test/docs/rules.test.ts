import { join } from 'node:path';
import { expect, test } from 'vitest';
import { printLevel } from '../../app/config/schema/rules.ts';
import { RULES } from '../../detectors/registry.ts';
import type { ThresholdRule } from '../../detectors/rule.ts';
import { ROOT, page, withMarked } from './pages.ts';

const PAGE = page('docs/manual/rules.md');
const FROM = Date.parse('2026-11-23T10:04:00Z');
const MINUTE_MS = 60_000;

/** The sentence of a window that is 3.4 times over the lower limit. */
function example(rule: ThresholdRule): string {
  const limit = rule.defaults.critical ?? rule.defaults.warning ?? 0;
  const observed = limit === 0 ? 340 : rule.unit === 'ratio' || rule.unit === 'bytes' ? limit * 1.7 : Math.round(limit * 1.7);
  const window = { start: FROM - (rule.minutes - 1) * MINUTE_MS, end: FROM + MINUTE_MS };
  return rule.why({ window, observed, limit, requests: 812, isExact: true, detail: undefined });
}

function section(rule: ThresholdRule): string {
  const { warning, critical } = rule.defaults;
  const subjects = rule.subjects.map((subject) => (subject === 'overflow' ? 'what was counted together' : subject)).join(', ');
  const level = (name: string, limit: number | undefined, severity: string): string =>
    limit === undefined ? '' : `| ${name} | ${String(printLevel(rule, limit))} (severity ${severity}) |\n`;
  return `## ${rule.id}

${rule.description}

| | |
| --- | --- |
| formula | \`${rule.formula}\` |
| judges | ${subjects} |
| looks at | ${rule.minutes === 1 ? 'a minute' : `${rule.minutes} minutes, every minute`} |
${level('warning', warning, rule.warningSeverity)}${level('critical', critical, 'critical')}| while the minute is open | ${rule.isMonotone ? 'over the critical limit it fires at once' : 'no: it is judged when the minute is closed'} |
| what to do | ${rule.action} |

> ${example(rule)}
`;
}

/** `npx vitest run test/docs/rules.test.ts -u` writes the marked part anew. */
test('docs/manual/rules.md says of each rule what the code says', async () => {
  const generated = `\n${RULES.map(section).join('\n')}\n`;
  await expect(withMarked(PAGE, 'rules', generated)).toMatchFileSnapshot(join(ROOT, PAGE.path));
});
