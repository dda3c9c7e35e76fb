import { Command } from 'commander';
import { Fingerprinter } from '../../core/fingerprint.ts';
import { configuredBy } from '../cli/configured.ts';
import { usageError } from '../cli/errors.ts';
import { type Io, write } from '../cli/io.ts';
import { type ConfigOptions, withConfigOptions, withExamples, withJsonOption } from '../cli/options.ts';
import { KafkaAdmin } from '../../ingest/kafka/admin.ts';
import { stringify } from '../json/stringify.ts';
import { checkPepper, loadPepper } from '../pepper.ts';
import { interpretationOf } from '../pipeline/interpretation.ts';
import { GENERATION, connectKafka, generationOf, kafkaOf } from '../wire/kafka.ts';
import { openMetrics } from '../wire/stores.ts';

type NewOptions = ConfigOptions & { readonly json?: boolean; readonly dryRun?: boolean };

export function command(io: Io): Command {
  const generation = new Command('generation').description(
    'The generation of topics: raised by a person after a topic was made anew, cut too short, or is to be read otherwise.',
  );
  withExamples(
    withJsonOption(withConfigOptions(generation.command('new')))
      .description(
        'Begin a new generation, and take over the reading rules of this configuration. All processes must be stopped. Partitions go on where the store ends, or at their beginning where the log is proven to be another one.',
      )
      .option('--dry-run', 'say what would change, and change nothing')
      .action((options: NewOptions) => begin(io, options)),
    [
      ['keywatch generation new -c keywatch.yml --dry-run', 'what would change?'],
      ['keywatch generation new -c keywatch.yml', 'after a halt: "the topic was made anew"'],
    ],
  );
  return withExamples(generation, [['keywatch generation new -c keywatch.yml', 'after a topic was deleted and made anew']]);
}

async function begin(io: Io, options: NewOptions): Promise<void> {
  const { config } = configuredBy(options, io, { secrets: 'all' });
  const kafka = kafkaOf(config);
  if (kafka === undefined)
    throw usageError(
      'generations are of topics, and this configuration has no source kafka: there is nothing to begin. What decides how files are read cannot change, since their bytes may be gone: keep the setting, or start with an empty store',
    );
  await using stack = new AsyncDisposableStack();
  const admin = stack.use(new KafkaAdmin(connectKafka(kafka, { clientId: 'keywatch-generation', onProblem: () => undefined })));
  const { members } = await admin.group(kafka.group);
  if (members.length > 0)
    throw usageError(
      `${members.length} ${members.length === 1 ? 'process is' : 'processes are'} still reading as group ${kafka.group} (${members.map(({ host }) => host).join(', ')}): stop all of them first`,
    );
  const { store } = stack.use(await openMetrics(config, { clock: io.clock, isReadOnly: options.dryRun === true }));
  const { pepper } = loadPepper({ configured: config.pepper, directory: config.store.directory });
  await checkPepper(store, new Fingerprinter(pepper), { isReadOnly: true });
  const before = await generationOf(store);
  const changes: { readonly name: string; readonly from: string; readonly to: string }[] = [];
  for (const [name, value] of Object.entries(interpretationOf(config))) {
    const stored = await store.control(`interpretation:${name}`);
    if (stored !== undefined && stored !== value) changes.push({ name, from: stored, to: value });
  }
  const after = before + 1;
  if (options.dryRun !== true) {
    for (const { name, to } of changes) await store.setControl(`interpretation:${name}`, to);
    await store.setControl(GENERATION, String(after));
  }
  if (options.json === true) {
    await write(io.stdout, `${stringify({ from: before, to: after, isApplied: options.dryRun !== true, changes })}\n`);
    return;
  }
  const verb = options.dryRun === true ? 'would be' : 'is';
  const lines = [
    `generation ${after} ${verb} begun (before: ${before})`,
    ...changes.map(({ name, from, to }) => `${name} ${verb} now ${to} (before: ${from})`),
  ];
  if (options.dryRun !== true) lines.push('start the processes again: each partition says where it goes on');
  await write(io.stdout, `${lines.join('\n')}\n`);
}
