import { Command } from 'commander';
import { KafkaAdmin, busPlan, deadLetterPlan, sourcePlan } from '../../ingest/kafka/admin.ts';
import { faultOf } from '../../ingest/kafka/fault.ts';
import { planSetup } from '../../storage/elasticsearch/setup.ts';
import { configuredBy } from '../cli/configured.ts';
import { CliError, CommandExit, EXIT_FAILURE } from '../cli/errors.ts';
import { type Io, write } from '../cli/io.ts';
import { type ConfigOptions, parseCount, withConfigOptions, withExamples, withJsonOption } from '../cli/options.ts';
import { printable } from '../cli/text.ts';
import type { Config, KafkaConfig } from '../config/config.ts';
import { stringify } from '../json/stringify.ts';
import { connectKafka, kafkaOf } from '../wire/kafka.ts';
import { connectElasticsearch, judgeRetention } from '../wire/stores.ts';

type Options = ConfigOptions & { readonly json?: boolean; readonly dryRun?: boolean; readonly createTopics?: boolean; readonly partitions: number };

/** One thing that must be there. */
type Step = {
  readonly what: string;
  readonly state: 'present' | 'made' | 'would_make' | 'changed' | 'would_change' | 'missing' | 'failed';
  readonly note: string;
};

export function command(io: Io): Command {
  return withExamples(
    withJsonOption(withConfigOptions(new Command('setup')))
      .description('Make what Kafka and Elasticsearch need before the first run, and say what they lack. Safe to repeat.')
      .option('--dry-run', 'say what would be done, and do nothing')
      .option('--create-topics', 'also make the topics with access events that are missing; without it only the topics of Keywatch itself')
      .option('--partitions <n>', 'of the topics that are made; dead letters need one only', parseCount, 6)
      .action((options: Options) => setup(io, options)),
    [
      ['keywatch setup -c keywatch.yml --dry-run', 'what is missing?'],
      ['keywatch setup -c keywatch.yml', 'index templates and the topics of Keywatch'],
      ['keywatch setup -c keywatch.yml --create-topics --partitions 12', 'also the topic that the gateways write to'],
    ],
  );
}

async function setup(io: Io, options: Options): Promise<void> {
  const { config } = configuredBy(options, io, { secrets: 'all' });
  const kafka = kafkaOf(config);
  const steps: Step[] = [];
  const lacks: string[] = [];
  if (kafka !== undefined) steps.push(...(await topics(kafka, options)));
  if (config.store.elasticsearch !== undefined) {
    const indices = await templates(config, io, options);
    steps.push(...indices.steps);
    lacks.push(...indices.lacks);
  }
  const isFine = steps.every(({ state }) => state !== 'failed' && state !== 'missing');
  if (options.json === true) await write(io.stdout, `${stringify({ ok: isFine, steps, lacks })}\n`);
  else {
    const lines = steps.map(
      ({ what, state, note }) => `${state.replaceAll('_', ' ').padEnd(12)} ${printable(what)}${note === '' ? '' : `: ${printable(note)}`}`,
    );
    lines.push(...lacks.map((lack) => `note         ${printable(lack)}`));
    if (steps.length === 0) lines.push('nothing to set up: the embedded store makes its files by itself');
    await write(io.stdout, `${lines.join('\n')}\n`);
  }
  if (!isFine) throw new CommandExit(EXIT_FAILURE);
}

async function topics(kafka: KafkaConfig, options: Options): Promise<readonly Step[]> {
  const isDryRun = options.dryRun === true;
  await using admin = new KafkaAdmin(connectKafka(kafka, { clientId: 'keywatch-setup', onProblem: () => undefined }));
  try {
    const own = [busPlan(kafka.busTopic, options.partitions), deadLetterPlan(kafka.deadLetterTopic)];
    const sources = options.createTopics === true ? kafka.topics.map((name) => sourcePlan(name, options.partitions)) : [];
    const actions = await admin.ensure([...own, ...sources], { isDryRun });
    const steps = actions.map(({ name, action, partitions, replication }): Step => ({
      what: `topic ${name}`,
      state: action === 'created' ? 'made' : action === 'exists' ? 'present' : 'would_make',
      note: `${partitions} ${partitions === 1 ? 'partition' : 'partitions'}, ${replication} ${replication === 1 ? 'replica' : 'replicas'}`,
    }));
    if (options.createTopics !== true) {
      for (const name of kafka.topics)
        if ((await admin.topic(name)) === undefined)
          steps.push({ what: `topic ${name}`, state: 'missing', note: 'the gateways write to it: make it yourself, or with keywatch setup --create-topics' });
    }
    return steps;
  } catch (error) {
    const fault = faultOf(error);
    throw new CliError(`kafka at ${kafka.brokers.join(', ')}: ${fault.reason}`, undefined, { cause: error });
  }
}

async function templates(config: Config, io: Io, options: Options): Promise<{ readonly steps: readonly Step[]; readonly lacks: readonly string[] }> {
  const { elasticsearch } = config.store;
  if (elasticsearch === undefined) return { steps: [], lacks: [] };
  await using client = await connectElasticsearch(elasticsearch, io.clock);
  const { prefix, shards, replicas, ilm } = elasticsearch;
  const plan = await planSetup(client, { prefix, shards, replicas, ilm, retention: judgeRetention(config.store.retention) });
  const steps: Step[] = [];
  for (const step of plan.steps) {
    if (step.isDone) {
      steps.push({ what: step.what, state: 'present', note: '' });
      continue;
    }
    const note = step.drift.map(({ path, wanted, installed }) => `${path} is ${installed ?? 'not set'}, wanted ${wanted ?? 'not set'}`).join('; ');
    if (options.dryRun === true) steps.push({ what: step.what, state: step.isChanged ? 'would_change' : 'would_make', note });
    else {
      await step.apply();
      steps.push({ what: step.what, state: step.isChanged ? 'changed' : 'made', note });
    }
  }
  return { steps, lacks: plan.lacks };
}
