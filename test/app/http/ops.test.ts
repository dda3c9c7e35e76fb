import { describe, expect, test } from 'vitest';
import { HistogramCells } from '../../../app/http/histogram.ts';
import { type MetricsStats, createMetrics } from '../../../app/http/metrics.ts';
import { type HealthCheck, serveOps, spoolCheck } from '../../../app/http/ops.ts';
import { systemClock } from '../../../core/clock.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { send } from './support.ts';

type Sample = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number };
type Family = { readonly type: string; readonly help: string; readonly samples: readonly Sample[] };

/** Reads the Prometheus text format as its specification says, and throws for anything else. */
function parse(text: string): ReadonlyMap<string, Family> {
  expect(text.endsWith('\n')).toBe(true);
  const families = new Map<string, { type: string; help: string; samples: Sample[] }>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line) ?? [];
    if (kind === 'HELP') families.set(name, { type: '', help: rest, samples: [] });
    else if (kind === 'TYPE') {
      const family = families.get(name);
      if (family === undefined) throw new Error(`a type before its help: ${line}`);
      family.type = rest;
    } else {
      const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (Na[Nn]|[+-]?Inf|[-+0-9.e]+)$/.exec(line);
      if (sample === null) throw new Error(`not a sample: ${line}`);
      const [, full = '', labelText = '', value = ''] = sample;
      const family = families.get(full) ?? families.get(full.replace(/_(?:bucket|sum|count)$/, ''));
      if (family === undefined) throw new Error(`a sample without a family: ${line}`);
      const labels = Object.fromEntries(
        [...labelText.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"/g)].map(([, label = '', shown = '']) => [label, shown]),
      );
      if (family.samples.some((other) => other.name === full && JSON.stringify(other.labels) === JSON.stringify(labels))) throw new Error(`twice: ${line}`);
      family.samples.push({ name: full, labels, value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value) });
    }
  }
  return families;
}

const delays = new HistogramCells([0.1, 1, 10]);
delays.add(0.05, 3);
delays.add(1);
delays.add(2.5, 2);
delays.add(99);

const STATS: MetricsStats = {
  received: [
    { source: 'files', value: 12 },
    { source: 'kafka "a"\n\\', value: 7 },
  ],
  counted: [{ source: 'files', value: 10 }],
  discarded: [{ source: 'files', reason: 'bad_json', value: 2 }],
  store: {
    documents: [
      { result: 'written', value: 90 },
      { result: 'conflict', value: 1 },
    ],
    bulkSeconds: delays.stats(),
    retries: 3,
    conflicts: 1,
  },
  halted: [{ topic: 'access', partition: '1', value: 1 }],
  partitions: [
    { source: 'access', partition: '0', lagRecords: 5, segmentAgeMs: 1500 },
    { source: 'access', partition: '1', lagRecords: undefined, segmentAgeMs: undefined },
  ],
  eventDelaySeconds: delays.stats(),
  watermark: 1_767_087_240_500,
  judgedThrough: 1_767_087_180_000,
  alertsOpen: { high: 2, low: 0 },
  outboxPending: [{ channel: 'slack', value: 1 }],
  notifications: [{ channel: 'slack', result: 'sent', value: 4 }],
  isJudge: true,
  http: {
    requests: new Map([
      [202, 8],
      [429, 1],
    ]),
    accepted: 800,
    duplicates: 1,
  },
  spool: { bytes: 1000, bytesMax: 5000, queuedBytes: 10, end: 9000, released: 8400 },
};

describe('metrics', () => {
  test('every number is shown under its name, as Prometheus reads it, and absolute at every scrape', async () => {
    const metrics = createMetrics({ stats: () => Promise.resolve(STATS) }, { version: '1.2.3' });
    await Promise.all([metrics.text(), metrics.text()]);
    const families = parse(await metrics.text());
    const values = (name: string): unknown => families.get(name)?.samples.map(({ labels, value }) => [...Object.values(labels), value]);
    expect(
      Object.fromEntries([...families.keys()].filter((name) => name.startsWith('keywatch_')).map((name) => [name, [families.get(name)?.type, values(name)]])),
    ).toEqual({
      keywatch_build_info: ['gauge', [['1.2.3', process.version, 1]]],
      keywatch_records_received_total: [
        'counter',
        [
          ['files', 12],
          ['kafka \\"a\\"\\n\\\\', 7],
        ],
      ],
      keywatch_events_counted_total: ['counter', [['files', 10]]],
      keywatch_records_discarded_total: ['counter', [['files', 'bad_json', 2]]],
      keywatch_store_documents_total: [
        'counter',
        [
          ['written', 90],
          ['conflict', 1],
        ],
      ],
      keywatch_store_bulk_seconds: ['histogram', [['0.1', 3], ['1', 4], ['10', 6], ['+Inf', 7], [105.15], [7]]],
      keywatch_store_retries_total: ['counter', [[3]]],
      keywatch_store_conflicts_total: ['counter', [[1]]],
      keywatch_partition_halted: ['gauge', [['access', '1', 1]]],
      keywatch_partition_lag_records: ['gauge', [['access', '0', 5]]],
      keywatch_segment_age_seconds: ['gauge', [['access', '0', 1.5]]],
      keywatch_event_delay_seconds: ['histogram', [['0.1', 3], ['1', 4], ['10', 6], ['+Inf', 7], [105.15], [7]]],
      keywatch_watermark_seconds: ['gauge', [[1_767_087_240.5]]],
      keywatch_judged_through_seconds: ['gauge', [[1_767_087_180]]],
      keywatch_alerts_open: [
        'gauge',
        [
          ['high', 2],
          ['low', 0],
        ],
      ],
      keywatch_outbox_pending: ['gauge', [['slack', 1]]],
      keywatch_notifications_total: ['counter', [['slack', 'sent', 4]]],
      keywatch_is_judge: ['gauge', [[1]]],
      keywatch_http_requests_total: [
        'counter',
        [
          ['202', 8],
          ['429', 1],
        ],
      ],
      keywatch_http_events_accepted_total: ['counter', [[800]]],
      keywatch_http_duplicates_total: ['counter', [[1]]],
      keywatch_spool_bytes: ['gauge', [[1000]]],
      keywatch_spool_limit_bytes: ['gauge', [[5000]]],
      keywatch_spool_queued_bytes: ['gauge', [[10]]],
      keywatch_spool_unstored_bytes: ['gauge', [[600]]],
    });
    expect(families.get('process_cpu_seconds_total')?.samples[0]?.value).toBeGreaterThan(0);
  });

  test('names follow the conventions of Prometheus', async () => {
    const families = parse(await createMetrics({ stats: () => STATS }, { version: '1' }).text());
    for (const [name, { type, help }] of families) {
      if (!name.startsWith('keywatch_')) continue;
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
      expect(name).toMatch(/^keywatch_[a-z]+(?:_[a-z]+)*$/);
      expect(name).not.toMatch(/_(?:ms|milliseconds|minutes|kb|mb|count|sum|bucket)$/);
      expect(help).toMatch(/^\S.*\.$/);
    }
  });

  test('what is not known is not shown as 0, and a label that is gone is gone', async () => {
    let stats: MetricsStats = STATS;
    const metrics = createMetrics({ stats: () => stats }, { version: '1' });
    await metrics.text();
    stats = { received: [{ source: 'stdin', value: 1 }], isJudge: false };
    const shown = [...parse(await metrics.text())].filter(([name, { samples }]) => name.startsWith('keywatch_') && samples.length > 0);
    expect(shown.map(([name, { samples }]) => [name, samples.map(({ labels, value }) => ({ ...labels, value }))])).toEqual([
      ['keywatch_build_info', [{ version: '1', node: process.version, value: 1 }]],
      ['keywatch_records_received_total', [{ source: 'stdin', value: 1 }]],
      ['keywatch_is_judge', [{ value: 0 }]],
    ]);
  });

  test('thousands of partitions do not become thousands of series: the ones furthest behind are shown', async () => {
    const partitions = Array.from({ length: 5000 }, (_, i) => ({ source: 's', partition: String(i), lagRecords: i }));
    const samples = parse(await createMetrics({ stats: () => ({ partitions }) }, { version: '1' }).text()).get('keywatch_partition_lag_records')?.samples;
    expect(samples).toHaveLength(1000);
    expect(Math.min(...(samples ?? []).map(({ value }) => value))).toBe(4000);
  });
});

describe('the ops listener', () => {
  const quiet = { listen: { host: '127.0.0.1', port: 0 }, graceMs: 500 };

  test('it is alive, ready with reasons or not ready with reasons, and shows its metrics', async () => {
    let checks: readonly HealthCheck[] = [{ name: 'store', ok: true, text: 'answers in 2 ms' }];
    const metrics = createMetrics({ stats: () => STATS }, { version: '1' });
    await using ops = await serveOps(quiet, { clock: systemClock, onProblem: () => undefined, metrics, health: { checks: () => checks } });
    const url = `http://127.0.0.1:${ops.address.port}`;
    const get = (path: string) => send(`${url}${path}`, { method: 'GET' });
    expect(await get('/livez')).toMatchObject({ status: 200, json: { ok: true } });
    expect(await get('/readyz')).toMatchObject({ status: 200, json: { ok: true, checks } });
    checks = [...checks, { name: 'judge', ok: false, text: '3 minutes behind' }];
    expect(await get('/readyz')).toMatchObject({ status: 503, json: { ok: false, checks }, headers: { 'cache-control': 'no-store' } });
    expect(await get('/livez')).toMatchObject({ status: 200 });
    const answer = await get('/metrics');
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' } });
    expect(parse(answer.text).get('keywatch_is_judge')?.samples[0]?.value).toBe(1);
    expect(await get('/v1/events')).toMatchObject({ status: 404 });
    expect(await send(`${url}/livez`, { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
  });

  test('checks that fail or hang make it not ready, and it says so to the log', async () => {
    const clock = new VirtualClock(0);
    const problems: string[] = [];
    let checks: () => Promise<readonly HealthCheck[]> = () => Promise.reject(new Error('the store is a teapot'));
    const metrics = createMetrics({ stats: () => Promise.reject(new Error('no numbers')) }, { version: '1' });
    const ops = await serveOps(quiet, { clock, onProblem: (message) => problems.push(message), metrics, health: { checks: () => checks() } });
    const url = `http://127.0.0.1:${ops.address.port}`;
    expect(await send(`${url}/readyz`, { method: 'GET' })).toMatchObject({
      status: 503,
      json: { checks: [{ name: 'checks', ok: false, text: 'they failed: see the log of keywatch' }] },
    });
    expect(await send(`${url}/metrics`, { method: 'GET' })).toMatchObject({ status: 503, json: { error: 'the metrics cannot be read now' } });
    checks = () => new Promise(() => undefined);
    const late = send(`${url}/readyz`, { method: 'GET' });
    while (clock.sleepers === 0) await clock.settle();
    await clock.advance(3000);
    expect(await late).toMatchObject({ status: 503, json: { checks: [{ name: 'checks', ok: false, text: 'no answer within 3 s' }] } });
    expect(problems).toEqual(['the checks of /readyz failed: the store is a teapot', 'the metrics cannot be read: no numbers']);
    await ops[Symbol.asyncDispose]();
  });

  test('a port that is taken is said in one line, with the setting', async () => {
    const deps = {
      clock: systemClock,
      onProblem: () => undefined,
      metrics: createMetrics({ stats: () => ({}) }, { version: '1' }),
      health: { checks: () => [] },
    };
    await using first = await serveOps(quiet, deps);
    const { port } = first.address;
    await expect(serveOps({ ...quiet, listen: { host: '127.0.0.1', port } }, deps)).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port}: another process listens there already`,
    );
    await expect(serveOps({ ...quiet, listen: { host: '192.0.2.1', port: 0 } }, deps)).rejects.toThrow(
      'cannot listen on 192.0.2.1:0: this machine has no such address; (ops.listen)'.replace(';', ''),
    );
  });

  test('a spool that is nearly full or cannot write is a reason not to be ready', () => {
    const stats = { bytes: 100, bytesMax: 1000, queuedBytes: 0, end: 100, released: 0, trouble: undefined };
    expect(spoolCheck(stats)).toMatchObject({ name: 'spool', ok: true });
    expect(spoolCheck({ ...stats, bytes: 960 })).toMatchObject({ ok: false });
    expect(spoolCheck({ ...stats, trouble: 'the disk is full' })).toMatchObject({ ok: false, text: 'the disk is full' });
  });
});
