import type { DurationMs } from '../../core/types.ts';
import { KafkaAdmin, type TopicFacts } from '../../ingest/kafka/admin.ts';
import { faultOf } from '../../ingest/kafka/fault.ts';
import { formatDuration } from '../cli/format.ts';
import { printable } from '../cli/text.ts';
import type { KafkaConfig } from '../config/config.ts';
import { connectKafka } from '../wire/kafka.ts';
import { type CheckRow, fail, ok, warn } from './check.ts';

/** An outage that starts on a Friday evening ends on Monday. */
const OUTAGE_MS: DurationMs = 3 * 24 * 3_600_000;
const BUS_RETENTION_MS: DurationMs = 2 * 3_600_000;

/** The brokers, and whether the topics are kept and stamped so that nothing can be lost or counted in the wrong segment. */
export async function checkKafka(kafka: KafkaConfig): Promise<readonly CheckRow[]> {
  const where = kafka.brokers.join(', ');
  await using admin = new KafkaAdmin(connectKafka(kafka, { clientId: 'keywatch-doctor', onProblem: () => undefined }));
  const rows: CheckRow[] = [];
  try {
    const brokers = await admin.brokers();
    const releases = [...new Set(brokers.map(({ release }) => release ?? 'unknown release'))].join(', ');
    rows.push(ok('kafka', `${brokers.length} ${brokers.length === 1 ? 'broker' : 'brokers'} at ${where}, ${releases} or newer`));
    const known = await admin.topics();
    const fits = kafka.pattern === undefined ? undefined : new RegExp(`^(?:${kafka.pattern})$`);
    const names = fits === undefined ? kafka.topics : known.filter((name) => fits.test(name));
    if (names.length === 0) rows.push(warn('topics', `no topic fits ${kafka.pattern ?? ''}`, 'check the pattern; topics that are made later are found then'));
    for (const name of names) rows.push(...sourceRows(name, await admin.topic(name)));
    rows.push(ownRow(kafka.busTopic, await admin.topic(kafka.busTopic), BUS_RETENTION_MS));
    rows.push(ownRow(kafka.deadLetterTopic, await admin.topic(kafka.deadLetterTopic), 0));
    const { state, members } = await admin.group(kafka.group);
    rows.push(
      ok(
        'consumer group',
        members.length === 0
          ? `${kafka.group}: nobody reads now`
          : `${kafka.group}: ${members.length} ${members.length === 1 ? 'process reads' : 'processes read'}, ${state}`,
      ),
    );
  } catch (error) {
    rows.push(
      fail(
        'kafka',
        `${where}: ${printable(faultOf(error).reason)}`,
        'check the addresses, tls and sasl of the source, and the firewall between here and there',
      ),
    );
  }
  return rows;
}

function sourceRows(name: string, topic: TopicFacts | undefined): readonly CheckRow[] {
  const row = `topic ${printable(name)}`;
  if (topic === undefined) return [fail(row, 'there is no such topic', 'make it, or let keywatch setup --create-topics do it')];
  const rows: CheckRow[] = [];
  if (topic.leaderless.length > 0) rows.push(fail(row, `partitions ${topic.leaderless.join(', ')} have no leader`, 'bring the brokers back that hold them'));
  if (topic.timestampType === 'CreateTime')
    rows.push(
      warn(
        row,
        'message.timestamp.type is CreateTime: a producer with a wrong clock decides what is late, and segments are shorter',
        `kafka-configs --alter --entity-type topics --entity-name ${name} --add-config message.timestamp.type=LogAppendTime`,
      ),
    );
  if (topic.cleanupPolicy?.includes('compact') === true)
    rows.push(
      fail(row, `cleanup.policy is ${topic.cleanupPolicy}: events of one message key replace each other before they are counted`, 'set cleanup.policy=delete'),
    );
  const { retentionMs } = topic;
  if (retentionMs !== undefined && retentionMs >= 0 && retentionMs < OUTAGE_MS)
    rows.push(
      warn(
        row,
        `retention.ms is ${formatDuration(retentionMs)}: events of a longer outage of Keywatch or its store are gone`,
        `raise it to ${formatDuration(OUTAGE_MS)} or more`,
      ),
    );
  if (topic.retentionBytes !== undefined && topic.retentionBytes >= 0)
    rows.push(
      warn(
        row,
        `retention.bytes is ${topic.retentionBytes}: a burst of traffic shortens how long events are kept`,
        'set retention.bytes=-1, or make sure that it covers the longest outage',
      ),
    );
  if (rows.length > 0) return rows;
  return [
    ok(
      row,
      `${topic.partitions} ${topic.partitions === 1 ? 'partition' : 'partitions'}, ${topic.replication} ${topic.replication === 1 ? 'replica' : 'replicas'}, kept ${kept(retentionMs)}`,
    ),
  ];
}

function ownRow(name: string, topic: TopicFacts | undefined, retentionMin: DurationMs): CheckRow {
  const row = `topic ${printable(name)}`;
  if (topic === undefined) return fail(row, 'there is no such topic', 'keywatch setup makes it');
  if (topic.cleanupPolicy !== undefined && topic.cleanupPolicy !== 'delete')
    return fail(row, `cleanup.policy is ${topic.cleanupPolicy}`, 'set cleanup.policy=delete');
  if (topic.retentionMs !== undefined && topic.retentionMs >= 0 && topic.retentionMs < retentionMin)
    return warn(
      row,
      `retention.ms is ${formatDuration(topic.retentionMs)}`,
      `raise it to ${formatDuration(retentionMin)}, so that a judge that starts again finds what it missed`,
    );
  return ok(row, `kept ${kept(topic.retentionMs)}`);
}

function kept(retentionMs: number | undefined): string {
  if (retentionMs === undefined) return 'for a time that this user may not see';
  return retentionMs < 0 ? 'for ever' : formatDuration(retentionMs);
}
