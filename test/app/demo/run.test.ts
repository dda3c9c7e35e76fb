import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { demoPart, type DemoOutcome, outcomeJson, renderOutcome } from '../../../app/demo/outcome.ts';
import { planDemo, secretsOf } from '../../../app/demo/plan.ts';
import { PlainReporter, ScreenReporter } from '../../../app/demo/reporter.ts';
import { type DemoOptions, runDemo } from '../../../app/demo/run.ts';
import type { StartDemoPipeline } from '../../../app/demo/types.ts';
import { displayWidth } from '../../../app/cli/text.ts';
import { sink } from '../cli/capture.ts';
import { alertOf, withoutFiring } from './alert.ts';
import { startIdlePipeline, startReferencePipeline } from './reference-pipeline.ts';
import { StepClock } from './step-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'keywatch-run-demo-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NOW = Date.UTC(2026, 5, 2, 12);

async function demo(
  over: Partial<DemoOptions> = {},
  deps: { readonly startPipeline?: StartDemoPipeline; readonly signal?: AbortSignal; readonly columns?: number } = {},
): Promise<{ readonly outcome: DemoOutcome; readonly stderr: string }> {
  const wall = new StepClock(NOW);
  const err = sink(deps.columns);
  const outcome = await runDemo(
    { forMs: 30_000, speed: 60, seed: 1, isKept: false, dataDir: undefined, htmlPath: undefined, ...over },
    {
      startPipeline: deps.startPipeline ?? startIdlePipeline,
      wall,
      signal: deps.signal ?? new AbortController().signal,
      reporter: (clock) => (deps.columns === undefined ? new PlainReporter(err.stream, wall, () => clock.now()) : new ScreenReporter(err.stream, wall)),
    },
  );
  return { outcome, stderr: err.text() };
}

describe('demo', () => {
  /** One whole run with a pipeline that judges; several tests look at it. */
  let whole: ReturnType<typeof demo> | undefined;
  const judged = (): ReturnType<typeof demo> => (whole ??= demo({}, { startPipeline: startReferencePipeline }));

  test('an independent pipeline catches the four loud attacks and nothing else, and both channels hear of each', async () => {
    const { outcome, stderr } = await judged();
    expect(outcome.missed).toEqual([]);
    expect(outcome.falseAlerts).toEqual([]);
    expect(outcome.isGood).toBe(true);
    const byName = new Map(outcome.lines.map((line) => [line.attack.name, line]));
    expect(byName.get('retry-storm')?.caught?.rule).toBe('request_rate');
    expect(byName.get('error-burst')?.caught?.rule).toBe('error_rate');
    expect(byName.get('bulk-download')?.caught?.rule).toBe('data_transfer');
    expect(['failed_auth', 'guessing']).toContain(byName.get('brute-force')?.caught?.rule);
    for (const name of ['leaked-key', 'slow-exfiltration'] as const) expect(byName.get(name)?.caught).toBeUndefined();
    for (const { caught } of outcome.lines) if (caught !== undefined) expect(caught.afterMs).toBeLessThan(10 * 60_000);
    for (const channel of ['slack', 'email']) expect(outcome.messages.filter((message) => message.channel === channel)).toHaveLength(outcome.alerts.length);
    for (const kind of ['attack', 'alert', 'slack', 'email', 'status']) expect(stderr).toMatch(new RegExp(`^\\d\\d:\\d\\d:\\d\\dZ {2}${kind} `, 'm'));
    for (const secret of secretsOf(planDemo({ seed: 1, end: NOW, spanMs: 30 * 60_000 }))) expect(stderr).not.toContain(secret);
  });

  test('nothing is left behind but the report, which tells of every attack', async () => {
    const before = new Set(readdirSync(tmpdir()));
    const htmlPath = join(folder, 'demo.html');
    const { outcome } = await demo({ htmlPath });
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('keywatch-demo-') && !before.has(name))).toEqual([]);
    expect(outcome.html).toBe(htmlPath);
    const html = readFileSync(htmlPath, 'utf8');
    for (const line of outcome.lines) expect(html).toContain(line.attack.title);
  });

  test('kept on request, with the logs in it', async () => {
    const { outcome } = await demo({ isKept: true, forMs: 30_000, seed: 2 });
    const kept = outcome.folder ?? '';
    expect(readdirSync(join(kept, 'logs')).sort()).toEqual(['erddap-access.log', 'gateway.json']);
    expect(renderOutcome(outcome, { width: 100, paint: (_, text) => text })).toContain(`kept: ${kept}`);
    rmSync(kept, { recursive: true, force: true });
  });

  test('a report that cannot be written is said, and the rest stands', async () => {
    const { outcome, stderr } = await demo({ htmlPath: join(folder, 'no', 'such', 'folder.html') });
    expect(outcome.html).toBeUndefined();
    expect(outcome.requests).toBeGreaterThan(50_000);
    expect(stderr).toContain('it does not exist');
  });

  test('stopped in the middle it ends in order and is not called good', async () => {
    const stop = new AbortController();
    const startPipeline: StartDemoPipeline = async (options, handlers) => {
      const inner = await startIdlePipeline(options, handlers);
      void options.clock.sleep(10 * 60_000, stop.signal).then(() => stop.abort());
      return inner;
    };
    const { outcome, stderr } = await demo({ htmlPath: join(folder, 'stopped.html') }, { startPipeline, signal: stop.signal, columns: 100 });
    expect(outcome.isStopped).toBe(true);
    expect(outcome.isGood).toBe(false);
    expect(existsSync(join(folder, 'stopped.html'))).toBe(false);
    expect(stderr.endsWith('\u001b[?1049l')).toBe(true);
    expect(renderOutcome(outcome, { width: 100, paint: (_, text) => text })).toContain('stopped before the end');
  });

  test('a false alert and a missed attack make it a failure, and each is named', async () => {
    const startPipeline: StartDemoPipeline = async (options, handlers) => {
      const plan = planDemo({ seed: 1, end: NOW, spanMs: 30 * 60_000 });
      for (const attack of plan.attacks.filter(({ name }) => name !== 'bulk-download')) {
        const isLoud = attack.expectedRules.length > 0;
        handlers.onAlert(
          alertOf({
            at: attack.start + 60_000,
            id: attack.name,
            rule: attack.expectedRules[0] ?? 'none',
            label: isLoud ? (attack.labels[0] ?? '') : 'innocent',
          }),
        );
      }
      return startIdlePipeline(options, handlers);
    };
    const { outcome } = await demo({}, { startPipeline });
    expect(outcome.isGood).toBe(false);
    expect(outcome.missed).toEqual(['bulk download']);
    expect(outcome.falseAlerts.map((alert) => alert.label)).toEqual(['innocent', 'innocent']);
    const text = renderOutcome(outcome, { width: 100, paint: (_, plain) => plain });
    expect(text).toContain('3 of 4 attacks');
    expect(text).toContain('false: critical innocent');
  });

  test("pending alerts and near misses are nobody's business; a resolved one is told once", async () => {
    const startPipeline: StartDemoPipeline = async (options, handlers) => {
      const inner = await startIdlePipeline(options, handlers);
      const unconfirmed = withoutFiring(alertOf({ at: options.clock.now(), label: 'near miss' }));
      handlers.onAlert({ ...unconfirmed, state: 'pending' });
      handlers.onAlert({ ...unconfirmed, state: 'resolved' });
      const fired = alertOf({ at: options.clock.now(), label: 'innocent', rule: 'error_rate', severity: 'medium' });
      for (const alert of [
        fired,
        fired,
        { ...fired, severity: 'critical' as const },
        { ...fired, state: 'recovering' as const },
        { ...fired, state: 'resolved' as const },
        { ...fired, state: 'resolved' as const },
      ])
        handlers.onAlert(alert);
      return inner;
    };
    const { outcome, stderr } = await demo({}, { startPipeline });
    expect(outcome.alerts.map(({ alert }) => alert.label)).toEqual(['innocent']);
    expect(stderr).not.toContain('near miss');
    expect(stderr.match(/ {2}alert {5}/g)).toHaveLength(2);
    expect(stderr.match(/ {2}resolved {2}/g)).toHaveLength(1);
  });

  test('the table fits its width, and the JSON tells the same with the truth beside it', async () => {
    const { outcome } = await judged();
    for (const width of [60, 80, 120]) {
      const table = renderOutcome(outcome, { width, paint: (_, text) => text })
        .split('\n')
        .filter((line) => /^(?:attack|brute|retry|error|bulk|slow|leaked)/.test(line));
      expect(table).toHaveLength(7);
      for (const line of table) expect(displayWidth(line)).toBeLessThanOrEqual(width);
    }
    const json = JSON.parse(JSON.stringify(outcomeJson(outcome, '1.2.3')));
    expect(json.attacks).toHaveLength(6);
    const brute = json.attacks.find((attack: { readonly name: string }) => attack.name === 'brute-force');
    expect(brute.truth.failedAuth).toBe(brute.truth.requests);
    expect(Math.abs(brute.afterMs - brute.afterWallMs * 60)).toBeLessThan(60);
    expect(json.falseAlerts).toEqual([]);
    expect(demoPart(outcome).attacks.filter((attack) => attack.caughtBy !== null)).toHaveLength(4);
  });
});
