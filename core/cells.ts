import { ByteReader, ByteWriter } from './bytes.ts';
import { C, COUNTER_COUNT, type Counters, at, emptyCounters } from './counters.ts';
import { Sketch } from './sketch/sketch.ts';

/**
 * The packed form of a window: counters as varints, then the sketch. Sparse: a bit map says which counters
 * are not empty; `first` is stored as is and `last` as its distance. Equal state gives equal bytes.
 */
export function encodeCounters(counters: Counters, base: number, out: ByteWriter): void {
  let map = 0;
  for (let i = 0; i < COUNTER_COUNT; i++) {
    const value = counters[base + i] as number;
    if (i === C.first ? value !== Number.POSITIVE_INFINITY : value !== 0) map |= 1 << i;
  }
  out.varint(map);
  const first = counters[base + C.first] as number;
  for (let i = 0; i < COUNTER_COUNT; i++) {
    if ((map & (1 << i)) === 0) continue;
    const value = counters[base + i] as number;
    out.varint(i === C.last ? value - first : value);
  }
}

export function decodeCounters(input: ByteReader): Counters {
  return decodeCountersInto(input, emptyCounters());
}

/** As `decodeCounters`, into an array that is used again. */
export function decodeCountersInto(input: ByteReader, counters: Counters): Counters {
  counters.fill(0);
  counters[C.first] = Number.POSITIVE_INFINITY;
  const map = input.varint();
  for (let i = 0; i < COUNTER_COUNT; i++) {
    if ((map & (1 << i)) !== 0) counters[i] = input.varint();
  }
  if ((map & (1 << C.last)) !== 0) counters[C.last] = at(counters, C.last) + at(counters, C.first);
  return counters;
}

export function encodeCells(counters: Counters, sketch: Sketch): Uint8Array {
  const out = new ByteWriter(256);
  encodeCounters(counters, 0, out);
  sketch.encode(out);
  return out.take();
}

export function readCounters(cells: Uint8Array): Counters {
  return decodeCounters(new ByteReader(cells));
}

export function readCells(cells: Uint8Array): { readonly counters: Counters; readonly sketch: Sketch } {
  const input = new ByteReader(cells);
  const counters = decodeCounters(input);
  return { counters, sketch: Sketch.decode(input) };
}
