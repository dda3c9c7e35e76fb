import type { Readable } from 'node:stream';
import type { StoredSource } from '../../core/ports.ts';
import { fileFollow } from '../../ingest/source/file-follow.ts';
import { SEGMENT_BYTES } from '../../ingest/source/segment-grid.ts';
import { stdinSource } from '../../ingest/source/stdin.ts';
import type { Config, SourceConfig } from '../config/config.ts';
import { newPartitionId } from '../pipeline/partition-id.ts';
import type { PipelineSource } from '../pipeline/pipeline.ts';
import { type KafkaDeps, kafkaPipelineSource } from './kafka.ts';

export type SourcesDeps = KafkaDeps & { readonly stdin: Readable };

/** The configured sources. A file is known again by its content under the source that first read it, or under any when that one is gone from the configuration. */
export function sourcesOf(sources: readonly SourceConfig[], config: Config, deps: SourcesDeps): readonly PipelineSource[] {
  const tags = new Set(sources.map(tagOf));
  return sources.map((source): PipelineSource =>
    source.kind === 'kafka' ? kafkaPipelineSource(source, config, deps) : logSource(source, { tags, config, deps }),
  );
}

function logSource(
  source: Exclude<SourceConfig, { kind: 'kafka' }>,
  { tags, config, deps }: { readonly tags: ReadonlySet<string>; readonly config: Config; readonly deps: SourcesDeps },
): PipelineSource {
  const tag = tagOf(source);
  const lineBytesMax = config.limits.lineBytes;
  return {
    reading: source,
    tag,
    open: async (known, store) => {
      if (source.kind === 'stdin') return stdinSource({ lineBytesMax, isLive: true }, { stream: deps.stdin, clock: deps.clock, newId: newPartitionId });
      const own: StoredSource[] = [];
      for (const partition of known) {
        const origin = await store.control(originName(partition.id));
        if (origin === tag || (origin !== undefined && !tags.has(origin))) own.push(partition);
      }
      return fileFollow({ patterns: source.patterns, lineBytesMax, segmentBytes: SEGMENT_BYTES }, { clock: deps.clock, newId: newPartitionId, known: own });
    },
  };
}

/** The control value that says which configured source first read a partition. */
export function originName(sourceId: number): string {
  return `origin:${sourceId}`;
}

function tagOf(source: SourceConfig): string {
  if (source.kind === 'kafka') return `kafka ${source.kafka.group}`;
  return source.kind === 'stdin' ? 'stdin' : `files ${source.patterns.join('\n')}`;
}

/** How a person would name it. */
export function sourceNames(source: SourceConfig): readonly string[] {
  if (source.kind === 'file') return source.patterns;
  if (source.kind === 'stdin') return ['standard input'];
  const { topics, pattern, brokers } = source.kafka;
  return [`${pattern === undefined ? `topic ${topics.join(', ')}` : `topics like ${pattern}`} at ${brokers.join(', ')}`];
}
