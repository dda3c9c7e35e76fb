import type { EnvelopeName } from './envelope.ts';
import { criHead, isSurelySyslog, logstashHead } from './line-head.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** The envelopes that most of the lines can be in, the likeliest first. Only a guess: what lies inside must be read to know. */
export function guessEnvelopes(lines: readonly Uint8Array[]): readonly EnvelopeName[] {
  const records = lines.map(parseObject).filter((record) => record !== undefined);
  if (records.length * 2 > lines.length) return guessByFields(records);
  const isMost = (looks: (line: Uint8Array) => boolean): boolean => lines.filter(looks).length * 2 > lines.length;
  const names: EnvelopeName[] = [];
  if (isMost((line) => criHead(line, 0, line.length) >= 0)) names.push('cri');
  if (isMost((line) => isSurelySyslog(line, 0, line.length))) names.push('syslog');
  if (isMost((line) => logstashHead(line, 0, line.length) >= 0)) names.push('logstash');
  return names;
}

function guessByFields(records: readonly JsonObject[]): readonly EnvelopeName[] {
  const has = (...fields: readonly string[]): boolean => records.some((record) => fields.every((field) => record[field] !== undefined));
  const hasText = (field: string): boolean => records.some((record) => typeof record[field] === 'string');
  const names: EnvelopeName[] = [];
  if (hasText('log') && hasText('stream') && hasText('time')) names.push('docker');
  if (hasText('log') && !names.includes('docker')) names.push('fluent-bit');
  if (has('message', '@metadata') || has('message', 'agent', 'ecs') || has('message', 'beat')) names.push('filebeat');
  if (has('message', 'source_type')) names.push('vector');
  if (has('@version')) names.push('logstash');
  if (SYSLOG_FIELDS.some((field) => has(field)) && (hasText('msg') || hasText('message') || hasText('MESSAGE') || hasText('rawmsg'))) names.push('syslog');
  if (names.length === 0) names.push('json');
  return names;
}

/** What templates of rsyslog and syslog-ng name beside the message. */
const SYSLOG_FIELDS = ['programname', 'syslogtag', 'PROGRAM', 'app-name', 'appname', 'facility', 'syslogfacility-text', 'syslogseverity-text'];

const decoder = new TextDecoder();

function parseObject(line: Uint8Array): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(line));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}
