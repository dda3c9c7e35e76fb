import { Command } from 'commander';
import { Sealer } from '../../ingest/dead-letter/seal.ts';
import { redactRecord } from '../../ingest/dead-letter/redact-record.ts';
import { KafkaAdmin } from '../../ingest/kafka/admin.ts';
import { type StoredLetter, deadLetterTopic, letters } from '../../ingest/kafka/dead-letter-topic.ts';
import { kafkaPublisher } from '../../ingest/kafka/publisher.ts';
import { configuredBy } from '../cli/configured.ts';
import { CliError, CommandExit, EXIT_FAILURE, usageError } from '../cli/errors.ts';
import { formatTime } from '../cli/format.ts';
import { type Io, widthOf, write } from '../cli/io.ts';
import { type ConfigOptions, parseCount, withConfigOptions, withExamples, withJsonOption } from '../cli/options.ts';
import { painter } from '../cli/style.ts';
import { renderTable } from '../cli/table.ts';
import { printable } from '../cli/text.ts';
import type { KafkaConfig } from '../config/config.ts';
import { isoTime } from '../json/time.ts';
import { stringify } from '../json/stringify.ts';
import { loadPepper } from '../pepper.ts';
import { connectKafka, kafkaOf } from '../wire/kafka.ts';

type ListOptions = ConfigOptions & { readonly json?: boolean; readonly limit: number; readonly topic?: string; readonly reason?: string };
type ReplayOptions = ConfigOptions & {
  readonly json?: boolean;
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly topic?: string;
  readonly reason?: string;
};

export function command(io: Io): Command {
  const dlq = new Command('dlq').description(
    'Dead letters: records of topics that could not be read. They were not counted; after a fix they can be put back.',
  );
  withExamples(
    withJsonOption(withConfigOptions(dlq.command('list')))
      .description('List dead letters: where they were and why.')
      .option('--limit <n>', 'at most so many', parseCount, 50)
      .option('--topic <name>', 'only of this topic')
      .option('--reason <reason>', 'only for this reason, such as bad_json')
      .action((options: ListOptions) => list(io, options)),
    [
      ['keywatch dlq list -c keywatch.yml', 'the first 50'],
      ['keywatch dlq list --reason bad_time --json', 'for programs'],
    ],
  );
  withExamples(
    withJsonOption(withConfigOptions(dlq.command('show')))
      .description('Show one dead letter with its record; what may be a secret in it is masked.')
      .argument('<id>', 'as dlq list prints it')
      .action((id: string, options: ListOptions) => show(io, id, options)),
    [['keywatch dlq show kafka:…/access/3/1841/0/bad_json', 'offset 1841 of partition 3 of the topic access']],
  );
  withExamples(
    withJsonOption(withConfigOptions(dlq.command('replay')))
      .description(
        'Put the original records back into their topic, as new records at its end, and mark their letters as done. Do it after the cause was mended.',
      )
      .argument('[ids...]', 'as dlq list prints them')
      .option('--all', 'every letter, or every one that --topic and --reason name')
      .option('--topic <name>', 'with --all: only of this topic')
      .option('--reason <reason>', 'with --all: only for this reason')
      .option('--dry-run', 'say how many, and do nothing')
      .action((ids: readonly string[], options: ReplayOptions) => replay(io, ids, options)),
    [
      ['keywatch dlq replay --all --reason bad_time --dry-run', 'how many?'],
      ['keywatch dlq replay --all --reason bad_time', 'put them back'],
    ],
  );
  return withExamples(dlq, [
    ['keywatch dlq list', 'what could not be read?'],
    ['keywatch dlq replay --all --reason bad_time', 'after a fix'],
  ]);
}

type Opened = { readonly kafka: KafkaConfig; readonly client: ReturnType<typeof connectKafka>; readonly sealer: Sealer };

function opened(io: Io, options: ConfigOptions): Opened {
  const { config } = configuredBy(options, io, { secrets: 'all' });
  const kafka = kafkaOf(config);
  if (kafka === undefined)
    throw usageError(
      'dead letters are kept in a topic: that needs a source kafka in the configuration; rejects of files are counted in keywatch doctor and analyze',
    );
  const { pepper } = loadPepper({ configured: config.pepper, directory: config.store.directory });
  return {
    kafka,
    client: connectKafka(kafka, { clientId: 'keywatch-dlq', onProblem: (message) => void io.stderr.write(`${message}\n`) }),
    sealer: new Sealer(pepper),
  };
}

async function* chosen(
  { kafka, client }: Opened,
  filter: { readonly topic?: string | undefined; readonly reason?: string | undefined },
): AsyncGenerator<StoredLetter> {
  try {
    await mustExist(kafka);
    for await (const letter of letters(client, kafka.deadLetterTopic, filter.topic === undefined ? {} : { topic: filter.topic })) {
      if (filter.reason === undefined || letter.reason === filter.reason) yield letter;
    }
  } catch (error) {
    throw new CliError(`topic ${kafka.deadLetterTopic} at ${kafka.brokers.join(', ')}: ${error instanceof Error ? error.message : String(error)}`, undefined, {
      cause: error,
    });
  }
}

/** Without its topic nothing is a dead letter yet, and nothing could become one: that is not the same as none. */
async function mustExist(kafka: KafkaConfig): Promise<void> {
  // What its client would log of a missing topic is said below.
  await using admin = new KafkaAdmin(connectKafka(kafka, { clientId: 'keywatch-dlq', onProblem: () => undefined }));
  if ((await admin.topic(kafka.deadLetterTopic)) === undefined) throw new Error('there is no such topic; keywatch setup makes it');
}

async function list(io: Io, options: ListOptions): Promise<void> {
  const place = opened(io, options);
  const found: StoredLetter[] = [];
  let isMore = false;
  for await (const letter of chosen(place, options)) {
    isMore = found.length >= options.limit;
    if (isMore) break;
    found.push(letter);
  }
  if (options.json === true) {
    for (const letter of found) await write(io.stdout, `${stringify(publicLetter(letter))}\n`);
    return;
  }
  if (found.length === 0) {
    await write(io.stdout, 'no dead letters\n');
    return;
  }
  const table = renderTable(
    [
      { title: 'time', value: (letter) => formatTime(letter.at) },
      { title: 'reason', value: (letter) => letter.reason },
      { title: 'id', value: (letter) => letter.id },
    ],
    found,
    { width: widthOf(io), paint: painter(io.stdout) },
  );
  await write(io.stdout, `${table}${isMore ? `there are more; --limit shows them\n` : ''}`);
}

async function show(io: Io, id: string, options: ListOptions): Promise<void> {
  const place = opened(io, options);
  for await (const letter of chosen(place, {})) {
    if (letter.id !== id) continue;
    const record = recordOf(letter, place.sealer);
    const text = record === undefined ? undefined : redactRecord(record);
    if (options.json === true) await write(io.stdout, `${stringify({ ...publicLetter(letter), record: text ?? null })}\n`);
    else {
      const lines = [
        `id         ${printable(letter.id)}`,
        `topic      ${printable(letter.topic)}, partition ${letter.partition}, offset ${letter.offset}${letter.index > 0 ? `, event ${letter.index + 1} of it` : ''}`,
        `reason     ${letter.reason}`,
        `time       ${formatTime(letter.at)}`,
        `record     ${text ?? whyNot(letter)}`,
      ];
      await write(io.stdout, `${lines.join('\n')}\n`);
    }
    return;
  }
  throw new CliError(`there is no dead letter ${printable(id)}; keywatch dlq list shows those that are there`);
}

async function replay(io: Io, ids: readonly string[], options: ReplayOptions): Promise<void> {
  if ((ids.length === 0) === (options.all !== true)) throw usageError('name the letters to put back, or --all');
  if (ids.length > 0 && (options.topic !== undefined || options.reason !== undefined)) throw usageError('--topic and --reason go with --all');
  const place = opened(io, options);
  const wanted = new Set(ids);
  await using publisher = kafkaPublisher(place.client);
  const topic = deadLetterTopic(publisher, { topic: place.kafka.deadLetterTopic, seal: (bytes) => place.sealer.seal(bytes) });
  let done = 0;
  const failed: { readonly id: string; readonly why: string }[] = [];
  for await (const letter of chosen(place, options.all === true ? options : {})) {
    if (options.all !== true && !wanted.delete(letter.id)) continue;
    const record = recordOf(letter, place.sealer);
    if (record === undefined) {
      failed.push({ id: letter.id, why: whyNot(letter) });
      continue;
    }
    if (options.dryRun !== true) {
      // Back first, then marked: a crash between the two puts it back twice rather than never.
      const outcome = await publisher.publish(letter.topic, [{ value: record }]);
      if (!outcome.ok) throw new CliError(`${done} put back, then topic ${letter.topic} did not take a record: ${outcome.reason}`);
      const marked = await topic.markReplayed([letter.id]);
      if (!marked.ok)
        throw new CliError(`${letter.id} was put back but could not be marked, so that the next replay would put it back again: ${marked.reason}`);
    }
    done++;
  }
  for (const id of options.all === true ? [] : wanted) failed.push({ id, why: 'there is no such letter' });
  if (options.json === true) await write(io.stdout, `${stringify({ replayed: options.dryRun === true ? 0 : done, matched: done + failed.length, failed })}\n`);
  else {
    for (const { id, why } of failed) io.stderr.write(`${printable(id)}: ${why}\n`);
    await write(
      io.stdout,
      `${done} ${done === 1 ? 'record' : 'records'} ${options.dryRun === true ? 'would be put back' : 'put back at the end of the topic'}\n`,
    );
  }
  if (failed.length > 0) throw new CommandExit(EXIT_FAILURE);
}

function recordOf(letter: StoredLetter, sealer: Sealer): Uint8Array | undefined {
  return letter.sealed === '' ? undefined : sealer.open(letter.sealed);
}

function whyNot(letter: StoredLetter): string {
  return letter.sealed === ''
    ? `too large for a letter; it is still in topic ${letter.topic} at offset ${letter.offset}, as long as that keeps it`
    : 'was sealed with another pepper; use the configuration that it was read with';
}

function publicLetter({ sealed: _, at, ...letter }: StoredLetter): Record<string, unknown> {
  return { ...letter, at: isoTime(at) };
}
