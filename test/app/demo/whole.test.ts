import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import { outcomeJson, renderOutcome } from '../../../app/demo/outcome.ts';
import { planDemo, secretsOf } from '../../../app/demo/plan.ts';
import { PlainReporter } from '../../../app/demo/reporter.ts';
import { runDemo } from '../../../app/demo/run.ts';
import { startDemoPipeline } from '../../../app/wire/demo.ts';
import { sink } from '../cli/capture.ts';

describe('the demo with the real pipeline', () => {
  test('catches the four loud attacks, raises nothing else, and no secret of its logs is in anything it wrote or said', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keywatch-whole-'));
    const html = join(folder, 'demo.html');
    const err = sink();
    const spanMs = 30 * 60_000;
    const outcome = await runDemo(
      { forMs: spanMs / 150, speed: 150, seed: 1, isKept: true, dataDir: undefined, htmlPath: html },
      {
        startPipeline: startDemoPipeline,
        wall: systemClock,
        signal: new AbortController().signal,
        reporter: (clock) => new PlainReporter(err.stream, systemClock, () => clock.now()),
      },
    );
    const kept = outcome.folder ?? '';
    try {
      expect(outcome.missed).toEqual([]);
      expect(outcome.falseAlerts.map((alert) => alert.finding.why)).toEqual([]);
      expect(outcome.alerts.length).toBeGreaterThanOrEqual(4);

      const said = `${err.text()}${renderOutcome(outcome, { width: 120, paint: (_, text) => text })}${JSON.stringify(outcomeJson(outcome, 'test'))}`;
      const written = [
        html,
        ...readdirSync(kept, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name)),
      ].filter((path) => !path.includes(`${sep}logs${sep}`));
      expect(written.length).toBeGreaterThan(2);
      const texts = [said, ...written.map((path) => readFileSync(path, 'latin1'))];
      const secrets = secretsOf(planDemo({ seed: 1, end: outcome.end, spanMs }));
      expect(secrets.size).toBeGreaterThan(250);
      expect([...secrets].filter((secret) => texts.some((text) => text.includes(secret)))).toEqual([]);
    } finally {
      rmSync(kept, { recursive: true, force: true });
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
