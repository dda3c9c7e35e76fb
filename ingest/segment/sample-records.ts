import type { RecordBlock } from '../../core/ports.ts';
import { eachElement, hasElements } from './values.ts';

const SAMPLE_BYTES = 65_536;
const LINE_FEED = 10;

/** The first events of a block as lines, to tell their format from. The block is as it was. */
export function sampleOf({ bytes, count, starts, ends }: RecordBlock): Uint8Array {
  const lines: Uint8Array[] = [];
  let size = 0;
  const add = (line: Uint8Array): void => {
    lines.push(line, Uint8Array.of(LINE_FEED));
    size += line.length + 1;
  };
  for (let i = 0; i < count; i++) {
    if (size >= SAMPLE_BYTES) break;
    // A copy: elements are marked in place. The byte behind it is for the last mark.
    const length = (ends[i] as number) - (starts[i] as number);
    const value = new Uint8Array(length + 1);
    value.set(bytes.subarray(starts[i], ends[i]));
    if (hasElements(value, 0, length)) eachElement(value, 0, length, (start, end) => add(value.slice(start, end)));
    else if (length > 0) add(value.subarray(0, length));
  }
  return Buffer.concat(lines);
}
