import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventSource, SourceEvent } from '../../../core/ports.ts';

/** A directory that is gone when the test ends. */
export function tempDirectory(): { readonly path: (name: string) => string; readonly root: string; [Symbol.dispose](): void } {
  const root = mkdtempSync(join(tmpdir(), 'keywatch-source-'));
  return { root, path: (name) => join(root, name), [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}

export function ids(): () => string {
  let count = 0;
  return () => (++count).toString(16).padStart(16, '0');
}

/** All events of a source that ends; blocks are copied. */
export async function collect(source: EventSource, onEvent: (event: SourceEvent) => void = () => {}): Promise<SourceEvent[]> {
  const events: SourceEvent[] = [];
  for await (const event of source.events(new AbortController().signal)) {
    events.push(event.kind === 'block' ? { ...event, bytes: Uint8Array.from(event.bytes) } : event);
    onEvent(event);
  }
  return events;
}

/** The bytes of all blocks of one partition, in order. */
export function textOf(events: readonly SourceEvent[], partition?: string): string {
  const blocks = events.flatMap((event) => (event.kind === 'block' && (partition === undefined || event.partition === partition) ? [event.bytes] : []));
  return Buffer.concat(blocks).toString('latin1');
}

/** `subject: message`, with the directory of the test left out. */
export function problemsOf(events: readonly SourceEvent[], root = ''): string[] {
  return events.flatMap((event) => (event.kind === 'problem' ? [`${event.subject}: ${event.message}`.replaceAll(`${root}/`, '')] : []));
}
