import type { LogEntry } from 'kafkajs';

export type KafkaLogLevel = 'error' | 'warn' | 'info' | 'debug';
export type KafkaLog = (level: KafkaLogLevel, text: string) => void;

/** What belongs to the life of a group or a fresh topic and passes by itself within a second, however loudly kafkajs says it. */
const NOISE =
  /coordinator is loading|group coordinator is not available|not the correct coordinator|not aware of this member|group is rebalancing|valid member id|no leader for this topic-partition|concurrent operation on the same transaction|Restarting the consumer|switched default partitioner|server has closed connection|Limiting retries for the idempotent producer/;
/** What no retry of kafkajs mends. */
const FINAL = /^(?:Crash|Error when calling)/;
/** kafkajs says the same again at every attempt: for this long once is enough. */
const REPEAT_MS = 60_000;
const TEXTS_MAX = 100;
const TEXT_LENGTH_MAX = 400;

/** One line per thing that kafkajs has to say, without stack traces and payloads. */
export function relayLog(log: KafkaLog): (entry: LogEntry) => void {
  const lastSaid = new Map<string, number>();
  return (entry) => {
    const text = textOf(entry);
    const isLoud = entry.label === 'ERROR' || entry.label === 'WARN';
    if (!isLoud || NOISE.test(text)) {
      log('debug', text);
      return;
    }
    const at = Date.parse(entry.log.timestamp);
    if (at - (lastSaid.get(text) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return;
    const [oldest] = lastSaid.keys();
    if (oldest !== undefined && lastSaid.size >= TEXTS_MAX) lastSaid.delete(oldest);
    lastSaid.set(text, at);
    log(entry.label === 'ERROR' && FINAL.test(entry.log.message) ? 'error' : 'warn', text);
  };
}

function textOf({ log }: LogEntry): string {
  const known = (name: string): string => {
    const value: unknown = log[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : value instanceof Error ? value.message : '';
  };
  const error = known('error');
  const places = ['broker', 'topic', 'partition', 'groupId']
    .map((name) => [name, known(name)] as const)
    .filter(([name, value]) => value !== '' && !(name === 'broker' && log.message.includes(value)))
    .map(([name, value]) => `${name} ${value}`);
  const text = `kafka: ${log.message}${error === '' || log.message.includes(error) ? '' : `: ${error}`}${places.length === 0 ? '' : ` (${places.join(', ')})`}`;
  return text.replaceAll(/\s+/g, ' ').slice(0, TEXT_LENGTH_MAX);
}
