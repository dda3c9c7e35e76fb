/**
 * Ten thousand keys fire at once, on a virtual clock: what each channel is sent within ten minutes, what it takes in
 * memory, and how long the loop is held. `node test/bench/alert-storm.ts [keys]`.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { entityId } from '../../core/types.ts';
import { MINUTE_MS } from '../../core/window.ts';
import { T0, breach } from '../alerts/support/build.ts';
import { DeskHarness } from '../alerts/support/desk-harness.ts';

const KEYS = Number(process.argv[2] ?? 10_000);
const CRITICAL = 5;

const delay = monitorEventLoopDelay({ resolution: 5 });
const harness = await new DeskHarness().start();
delay.enable();
let rss = 0;
const measure = (): void => void (rss = Math.max(rss, process.memoryUsage().rss));
const began = performance.now();
for (let minute = 0; minute < 2; minute++) {
  const evaluations = Array.from({ length: KEYS }, (_, index) =>
    breach({ minute, entity: entityId('key', `k${index}`), severity: index < CRITICAL ? 'critical' : 'high' }),
  );
  await harness.closed(minute, evaluations);
  measure();
}
const decided = performance.now() - began;
await harness.clock.advance(8 * MINUTE_MS);
measure();
delay.disable();
const line = (name: string, value: string): void => void process.stdout.write(`${name.padEnd(34)}${value}\n`);
line('keys', String(KEYS));
line('fleet incidents', String(harness.desk.incidents().filter((incident) => incident.kind === 'fleet').length));
for (const channel of [harness.slack, harness.email]) {
  const posts = channel.attempts.filter(({ at }) => at < T0 + 12 * MINUTE_MS);
  const alone = posts.filter(({ notification }) => notification.kind === 'fired' && notification.incident?.kind === 'key').length;
  line(`${channel.name}: posts in ten minutes`, `${posts.length}, of them ${alone} of ${CRITICAL} critical keys by themselves`);
}
line('two minutes decided in', `${Math.round(decided)} ms`);
line('highest resident memory', `${Math.round(rss / 2 ** 20)} MiB (with the memory journal, which keeps every entry)`);
line('loop delay, 99th percentile, max', `${Math.round(delay.percentile(99) / 1e6)} ms, ${Math.round(delay.max / 1e6)} ms`);
await harness.stop();
