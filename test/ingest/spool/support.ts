import { systemClock } from '../../../core/clock.ts';
import type { SourceEvent } from '../../../core/ports.ts';
import type { Offset } from '../../../core/types.ts';
import { spoolSource } from '../../../ingest/spool/spool-source.ts';
import { SpoolWriter, type SpoolConfig } from '../../../ingest/spool/spool-writer.ts';
import { ids } from '../source/support.ts';

export type Line = { readonly offset: Offset; readonly text: string; readonly receivedAt: number };

export function openWriter(
  directory: string,
  config: Partial<SpoolConfig> = {},
  clock = systemClock,
  onProblem?: (message: string) => void,
): Promise<SpoolWriter> {
  return SpoolWriter.open({ directory, bytesMax: 2 ** 30, ...config }, { clock, newId: ids(), onProblem });
}

export function linesOf(...texts: readonly string[]): Uint8Array {
  return Buffer.from(texts.map((text) => `${text}\n`).join(''));
}

/** Everything from `from` on that can be read now, line by line, with the other events. */
export async function readSpool(
  directory: string,
  options: { readonly from?: Offset; readonly writer?: SpoolWriter; readonly segmentBytes?: number; readonly lineBytesMax?: number } = {},
): Promise<{ readonly lines: readonly Line[]; readonly events: readonly SourceEvent[] }> {
  const stop = new AbortController();
  const { from = 0, writer, segmentBytes, lineBytesMax } = options;
  const known = from === 0 ? [] : [{ name: await partitionName(directory, writer), next: from }];
  await using source = spoolSource({ directory, segmentBytes, lineBytesMax, pollMs: 1 }, { clock: systemClock, known, writer });
  const lines: Line[] = [];
  const events: SourceEvent[] = [];
  for await (const event of source.events(stop.signal)) {
    events.push(event.kind === 'block' ? { ...event, bytes: Uint8Array.from(event.bytes) } : event);
    if (event.kind === 'block') lines.push(...split(event));
    if (event.kind === 'caught_up') stop.abort();
  }
  return { lines, events };
}

async function partitionName(directory: string, writer: SpoolWriter | undefined): Promise<string> {
  if (writer !== undefined) return writer.partition;
  const { readSpoolId, partitionOf } = await import('../../../ingest/spool/spool-files.ts');
  return partitionOf((await readSpoolId(directory)) ?? '');
}

function split(block: Extract<SourceEvent, { kind: 'block' }>): Line[] {
  const lines: Line[] = [];
  const bytes = Buffer.from(block.bytes);
  for (let at = 0; at < bytes.length;) {
    const feed = bytes.indexOf(10, at);
    lines.push({ offset: block.offset + at, text: bytes.toString('latin1', at, feed), receivedAt: block.receivedAt ?? -1 });
    at = feed + 1;
  }
  return lines;
}
