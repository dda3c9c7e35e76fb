import { type DetectOptions, detectFormat } from '../../ingest/parse/detect.ts';
import { SAMPLE_BYTES } from '../../ingest/source/sample.ts';

/** Why a body that begins with `head` could never be counted; undefined when it could. */
export type FormatGate = (head: Uint8Array) => string | undefined;

/**
 * All accepted events are one log of one format, which its first lines decide. What is in another one is refused at
 * the door, where its sender can still be told; inside it would be a dead letter, or as the very first request keep
 * the whole log from being read. `current` is the name of the format that the log is read in, once that is known.
 */
export function formatGate(options: { readonly detect: DetectOptions; readonly current: () => string | undefined }): FormatGate {
  /** Of the first request that was let through, until the log itself is read. */
  let first: string | undefined;
  return (head) => {
    const found = detectFormat(head.subarray(0, SAMPLE_BYTES), options.detect);
    if (found.format === undefined) return found.why;
    const { name } = found.format;
    const current = options.current() ?? first;
    if (current === undefined) first = name;
    else if (current !== name)
      return `these lines are in format ${name}, and what was sent here so far is in format ${current}; send one format to one keywatch`;
    return undefined;
  };
}
