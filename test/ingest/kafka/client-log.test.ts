import { expect, test } from 'vitest';
import { relayLog } from '../../../ingest/kafka/client-log.ts';
import { kafkajs } from '../../../ingest/kafka/patch.ts';

function relay(): { readonly lines: string[]; readonly say: (label: 'ERROR' | 'WARN' | 'INFO', message: string, extra?: object, atMs?: number) => void } {
  const lines: string[] = [];
  const write = relayLog((level, text) => void lines.push(`${level} ${text}`));
  const { logLevel } = kafkajs();
  return {
    lines,
    say: (label, message, extra = {}, atMs = 0) =>
      write({
        namespace: 'n',
        level: logLevel[label],
        label,
        log: { timestamp: new Date(atMs).toISOString(), logger: 'kafkajs', message, ...extra },
      }),
  };
}

test('what belongs to the first join of a group bothers nobody', () => {
  const { lines, say } = relay();
  say('ERROR', 'Response GroupCoordinator(key: 10, version: 2)', { broker: 'b:1', error: 'The group coordinator is not available' });
  say('ERROR', 'Response JoinGroup(key: 11, version: 5)', { error: "The coordinator is loading and hence can't process requests for this group" });
  say('ERROR', 'Response AddPartitionsToTxn(key: 24, version: 1)', { error: 'This is not the correct coordinator for this group' });
  say('WARN', 'The group is rebalancing, re-joining', { groupId: 'g' });
  say('WARN', 'KafkaJS v2.0.0 switched default partitioner.');
  say('INFO', 'Consumer has joined the group', { groupId: 'g', memberAssignment: { t: [0] } });
  expect(lines.filter((line) => !line.startsWith('debug '))).toEqual([]);
  expect(lines).toHaveLength(6);
});

test('a fault is one line with its place, without a stack, and said once a minute', () => {
  const { lines, say } = relay();
  for (const at of [0, 10_000, 59_999, 60_000])
    say('ERROR', 'Connection error: connect ECONNREFUSED 127.0.0.1:9', { broker: '127.0.0.1:9', clientId: 'c', stack: 'Error: x\n  at y' }, at);
  say('ERROR', 'Failed to connect to broker,\n retrying', { topic: 't', partition: 3, error: new Error('no route') });
  say('ERROR', 'Crash: KafkaJSNonRetriableError: a record batch cannot be read', { groupId: 'g', retryCount: 1, stack: 'x' });
  expect(lines).toEqual([
    'warn kafka: Connection error: connect ECONNREFUSED 127.0.0.1:9',
    'warn kafka: Connection error: connect ECONNREFUSED 127.0.0.1:9',
    'warn kafka: Failed to connect to broker, retrying: no route (topic t, partition 3)',
    'error kafka: Crash: KafkaJSNonRetriableError: a record batch cannot be read (groupId g)',
  ]);
});

test('many different faults do not fill the memory', () => {
  const { lines, say } = relay();
  for (let index = 0; index < 500; index++) say('WARN', `fault ${index}`);
  say('WARN', 'fault 0');
  say('WARN', 'fault 499');
  expect(lines).toHaveLength(501);
});
