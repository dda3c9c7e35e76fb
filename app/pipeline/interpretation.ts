import type { MetricStore } from '../../core/ports.ts';
import { SEGMENT_BYTES } from '../../ingest/source/segment-grid.ts';
import type { Config } from '../config/config.ts';
import { isTopic } from '../config/topics.ts';
import { usageError } from '../cli/errors.ts';

/** Raised when a record would be read differently from before: stored segments could not be continued. */
const PARSER_VERSION = 2;

/**
 * All processes that write one store must read records alike, or one would continue what another began with
 * other rules. What differs from what the store was written with is refused by name. (The pepper has a check of its own.)
 */
export function interpretationOf(config: Config): Readonly<Record<string, string>> {
  return {
    'parser version': String(PARSER_VERSION),
    'segment size': String(SEGMENT_BYTES),
    keyNames: JSON.stringify([...new Set([config.reading, ...config.sources].flatMap((reading) => reading.keyNames))].sort()),
    keyBy: JSON.stringify([...new Set([config.reading, ...config.sources].map((reading) => reading.keyBy))].sort()),
    'clients.trustedProxies': JSON.stringify([...config.clients.trustedProxies].sort()),
    'clients.depth': String(config.clients.depth),
    'limits.entities': String(config.limits.entities),
    ...topicReading(config),
  };
}

/** How records of topics are cut into fields. A file keeps the format that it was first read with, whatever is configured for those that come. */
function topicReading(config: Config): Readonly<Record<string, string>> {
  const reading = config.sources.find(isTopic);
  if (reading === undefined) return {};
  return {
    'sources[].format': reading.format,
    'sources[].envelope': reading.envelope,
    'sources[].map': JSON.stringify(Object.entries(reading.map).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** Refuses to go on with a store that was written otherwise. */
export async function claimInterpretation(store: MetricStore, config: Config): Promise<void> {
  for (const [name, value] of Object.entries(interpretationOf(config))) {
    const stored = await store.claim(`interpretation:${name}`, value);
    if (stored !== value) {
      throw usageError(
        `the store was written with another ${name} (${stored}, now ${value}): counts of one segment would mix; set it back, or stop all processes and run keywatch generation new`,
      );
    }
  }
}
