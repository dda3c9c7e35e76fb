import { parseArgs } from 'node:util';
import { type SoakResult, isGood, soakKafka } from './soak.ts';

const HELP = `usage: npm run soak:kafka [-- options]
  --short               3 minutes: 8 kills, 4 rebalances, 20 s without Elasticsearch
  --rate 20000          events per second
  --keys 2000  --partitions 6  --seed 1
  --kills 50  --kill-every 30       seconds between two kills, on average
  --rebalances 20  --rebalance-every 30
  --outage 180          seconds without Elasticsearch
`;

const SHORT = { kills: '8', 'kill-every': '9', rebalances: '4', 'rebalance-every': '15', outage: '20' };
const LONG = { kills: '50', 'kill-every': '30', rebalances: '20', 'rebalance-every': '30', outage: '180' };
const COLUMNS = ['seconds', 'produced', 'stored', 'kills', 'rebalances'] as const;

/** The command line of `scripts/soak-kafka.mjs`: a table on stderr, JSON on stdout, 1 on a difference. */
export async function main(args: readonly string[]): Promise<number> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      short: { type: 'boolean' },
      help: { type: 'boolean' },
      rate: text,
      keys: text,
      partitions: text,
      seed: text,
      kills: text,
      'kill-every': text,
      rebalances: text,
      'rebalance-every': text,
      outage: text,
    },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const preset = values.short === true ? SHORT : LONG;
  const number = (name: keyof typeof LONG): number => Number(values[name] ?? preset[name]);
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  say([...COLUMNS.map((title) => title.padStart(12)), '  what'].join(''));
  const result = await soakKafka({
    eventsPerSecond: Number(values.rate ?? 20_000),
    keys: Number(values.keys ?? 2000),
    partitions: Number(values.partitions ?? 6),
    seed: Number(values.seed ?? 1),
    kills: number('kills'),
    killEveryMs: number('kill-every') * 1000,
    rebalances: number('rebalances'),
    rebalanceEveryMs: number('rebalance-every') * 1000,
    outageMs: number('outage') * 1000,
    onStep: (step) => say([...COLUMNS.map((name) => String(step[name]).padStart(12)), `  ${step.what}`].join('')),
  });
  report(result, say);
  process.stdout.write(`${JSON.stringify(result)}\n`);
  return isGood(result) ? 0 : 1;
}

function report(result: SoakResult, say: (line: string) => void): void {
  const { store, documents, alerts, faults, ...rest } = result;
  say('');
  for (const [name, value] of Object.entries(rest)) say(`${name.padEnd(20)} ${String(value)}`);
  for (const [name, { cells, lost, doubled, off, examples }] of Object.entries({ store, documents })) {
    say(`${name.padEnd(20)} ${cells} (key, minute): lost ${lost}, doubled ${doubled}, other sums off in ${off}`);
    for (const example of examples) say(`  ${example}`);
  }
  say(
    `${'alerts'.padEnd(20)} expected ${alerts.expected}, fired ${alerts.fired}, missing ${alerts.missing}, extra ${alerts.extra}; ${alerts.notifications} messages, untold ${alerts.untold}, ${alerts.posts} posts at Slack`,
  );
  for (const fault of faults) say(`fault                ${fault}`);
  say(isGood(result) ? 'nothing lost, nothing doubled, every breach told' : 'NOT as it should be');
}
