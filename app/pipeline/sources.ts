import type { Readable } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import type { StoredSource } from '../../core/ports.ts';
import { fileFollow } from '../../ingest/source/file-follow.ts';
import { SEGMENT_BYTES } from '../../ingest/source/segment-grid.ts';
import { stdinSource } from '../../ingest/source/stdin.ts';
import { newPartitionId } from './partition-id.ts';
import type { SourceConfig } from '../config/config.ts';
import type { PipelineSource } from './pipeline.ts';

/** The configured sources. A file is known again by its content under the source that first read it, or under any when that one is gone from the configuration. */
export function sourcesOf(
  sources: readonly SourceConfig[],
  deps: { readonly clock: Clock; readonly stdin: Readable; readonly lineBytesMax: number },
): readonly PipelineSource[] {
  const tags = new Set(sources.map(tagOf));
  return sources.map((source): PipelineSource => {
    const tag = tagOf(source);
    return {
      reading: source,
      tag,
      open: async (known, store) => {
        if (source.kind === 'stdin') {
          return stdinSource({ lineBytesMax: deps.lineBytesMax, isLive: true }, { stream: deps.stdin, clock: deps.clock, newId: newPartitionId });
        }
        const own: StoredSource[] = [];
        for (const partition of known) {
          const origin = await store.control(originName(partition.id));
          if (origin === tag || (origin !== undefined && !tags.has(origin))) own.push(partition);
        }
        return fileFollow(
          { patterns: source.patterns, lineBytesMax: deps.lineBytesMax, segmentBytes: SEGMENT_BYTES },
          { clock: deps.clock, newId: newPartitionId, known: own },
        );
      },
    };
  });
}

/** The control value that says which configured source first read a partition. */
export function originName(sourceId: number): string {
  return `origin:${sourceId}`;
}

function tagOf(source: SourceConfig): string {
  return source.kind === 'stdin' ? 'stdin' : `files ${source.patterns.join('\n')}`;
}
