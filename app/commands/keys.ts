import { Command } from 'commander';
import { C, at } from '../../core/counters.ts';
import type { EpochMs } from '../../core/types.ts';
import { Directory } from '../../keys/directory.ts';
import { configuredBy } from '../cli/configured.ts';
import { formatAgo, formatBytes, formatCount, formatNumber, formatPercent, formatTime, sparkline } from '../cli/format.ts';
import { type Io, widthOf, write } from '../cli/io.ts';
import { parseCount, withExamples } from '../cli/options.ts';
import { type RangeOptions, askedRange, nothingSeen, withRange } from '../cli/range.ts';
import { painter } from '../cli/style.ts';
import { type Column, renderTable } from '../cli/table.ts';
import { keyJson, keySummary, type KeySummary } from '../json/key.ts';
import { stringify } from '../json/stringify.ts';
import { isoTime } from '../json/time.ts';
import { type LineageTotals, lineageTotals, newestEvent, seriesOf } from '../stored.ts';
import { readMetrics } from '../wire/stores.ts';
import { showKey } from './keys-show.ts';

type ListOptions = RangeOptions & { readonly top: number };

const SPARK_SLOTS = 24;

export function command(io: Io): Command {
  const keys = new Command('keys').description('What each key, user and client did, from the store of a running or stopped keywatch.');

  withExamples(
    withRange(keys.command('list'))
      .description('List keys, users and clients by requests.')
      .option('--top <n>', 'how many rows (JSON always has all)', parseCount, 20)
      .action((options: ListOptions) => list(io, options)),
    [
      ['keywatch keys list', 'the busiest of the last 24 hours'],
      ['keywatch keys list --since 7d --top 50', 'of the last week'],
      ['keywatch keys list --since 2026-11-01 --until 2026-11-08 --json', 'for a script'],
    ],
  );

  withExamples(
    withRange(keys.command('show'))
      .description('Show one key: totals, top addresses, networks, agents and routes, status classes, latency, limits, alerts.')
      .argument('<key>', 'its label, id, fingerprint, or the first 8 hex digits of that')
      .action((name: string, options: RangeOptions) => showKey(io, name, options)),
    [
      ['keywatch keys show billing-export', 'by label'],
      ['keywatch keys show 9f3c12ab --since 7d', 'by the start of its fingerprint'],
      ['keywatch keys show "client:203.0.113.24 curl/8.5.0"', 'a client that uses no key'],
    ],
  );

  return withExamples(keys, [
    ['keywatch keys list', 'the busiest of the last 24 hours'],
    ['keywatch keys show billing-export', 'one of them'],
  ]);
}

async function list(io: Io, options: ListOptions): Promise<void> {
  const { config } = configuredBy(options, io, { secrets: 'store' });
  await using metrics = await readMetrics(config, { clock: io.clock });
  const { store } = metrics;
  const directory = new Directory(config.directory, await store.aliases());
  const range = askedRange(options, io.clock.now());
  const totals = await lineageTotals(store, directory, range);
  if (options.json === true) {
    await write(
      io.stdout,
      `${stringify({ range: { from: isoTime(range.from), to: isoTime(range.to) }, keys: totals.map((one) => keyJson(keySummary(one))) })}\n`,
    );
    return;
  }
  if (totals.length === 0) {
    await write(io.stdout, nothingSeen(range, await newestEvent(store), io.clock.now()));
    return;
  }
  const shown = totals.slice(0, options.top);
  const rows: Row[] = [];
  for (const one of shown) rows.push(await rowOf(one));
  const width = widthOf(io);
  const requests = totals.reduce((sum, one) => sum + at(one.counters, C.requests), 0);
  await write(
    io.stdout,
    `${formatNumber(totals.length)} keys, users and clients with ${formatNumber(requests)} requests, ${formatTime(range.from)} to ${formatTime(range.to)}\n\n`,
  );
  await write(io.stdout, renderTable(columns(io.clock.now()), rows, { width, paint: painter(io.stdout) }));
  if (totals.length > shown.length) await write(io.stdout, `\n${formatNumber(totals.length - shown.length)} more; show them with --top ${totals.length}\n`);

  async function rowOf(one: LineageTotals): Promise<Row> {
    const facts = directory.facts(one.entity);
    const series = await seriesOf(store, one.members, { range, slots: SPARK_SLOTS, value: (counters) => at(counters, C.requests) });
    return { label: facts.label, plan: facts.plan ?? '', summary: keySummary(one), series };
  }
}

type Row = { readonly label: string; readonly plan: string; readonly summary: KeySummary; readonly series: readonly number[] };

function columns(now: EpochMs): readonly Column<Row>[] {
  return [
    { title: 'key', value: ({ label }) => label, shrinkTo: 16 },
    { title: 'requests', value: ({ summary }) => formatCount(summary.requests), align: 'right' },
    { title: 'over time', value: ({ series }) => sparkline(series), isOurs: true, dropOrder: 2, style: () => 'cyan' },
    {
      title: 'errors',
      value: ({ summary }) => (summary.errors === 0 ? '0' : `${formatCount(summary.errors)} (${formatPercent(summary.errors / summary.requests)})`),
      align: 'right',
      style: ({ summary }) => (summary.errors > summary.requests * 0.05 ? 'yellow' : undefined),
    },
    {
      title: 'failed auth',
      value: ({ summary }) => formatCount(summary.failedAuth),
      align: 'right',
      style: ({ summary }) => (summary.failedAuth > 10 ? 'yellow' : undefined),
    },
    { title: 'in', value: ({ summary }) => formatBytes(summary.bytesIn), align: 'right', dropOrder: 3 },
    { title: 'out', value: ({ summary }) => formatBytes(summary.bytesOut), align: 'right', dropOrder: 5 },
    { title: 'clients', value: ({ summary }) => formatCount(summary.clients), align: 'right', dropOrder: 4 },
    { title: 'last seen', value: ({ summary }) => formatAgo(summary.last, now), align: 'right' },
    { title: 'plan', value: ({ plan }) => plan, dropOrder: 1 },
  ];
}
