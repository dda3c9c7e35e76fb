import type { SourceConfig } from './config.ts';

/** A message log: all processes read it alike, where a file is read as it was at first. */
export function isTopic(source: SourceConfig): boolean {
  return source.kind === 'kafka';
}
