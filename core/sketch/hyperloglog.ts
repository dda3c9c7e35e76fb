import type { ByteReader, ByteWriter } from '../bytes.ts';

/**
 * HyperLogLog with 2^11 registers: standard error 1.04/sqrt(2048) = 2.3 %. Union is the maximum per register,
 * so the result does not depend on order or on how a log was cut.
 * Estimator: O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), algorithm 6.
 */
export const HLL_PRECISION = 11;
export const HLL_REGISTERS = 1 << HLL_PRECISION;
/** Ranks run from 1 to 33: the position of the first set bit in the 32 bits of the low lane. */
const RANK_MAX = 33;

export function hllIndex(hi: number): number {
  return hi >>> (32 - HLL_PRECISION);
}

export function hllRank(lo: number): number {
  return Math.clz32(lo) + 1;
}

export function hllAdd(registers: Uint8Array, hi: number, lo: number): void {
  const index = hllIndex(hi);
  const rank = hllRank(lo);
  if (rank > (registers[index] as number)) registers[index] = rank;
}

export function hllMerge(into: Uint8Array, from: Uint8Array): void {
  for (let i = 0; i < HLL_REGISTERS; i++) {
    const rank = from[i] as number;
    if (rank > (into[i] as number)) into[i] = rank;
  }
}

export function hllEstimate(registers: Uint8Array): number {
  const counts = new Float64Array(RANK_MAX + 1);
  for (let i = 0; i < HLL_REGISTERS; i++) {
    const rank = registers[i] as number;
    counts[rank] = (counts[rank] as number) + 1;
  }
  let z = HLL_REGISTERS * tau(1 - (counts[RANK_MAX] as number) / HLL_REGISTERS);
  for (let k = RANK_MAX - 1; k >= 1; k--) z = 0.5 * (z + (counts[k] as number));
  z += HLL_REGISTERS * sigma((counts[0] as number) / HLL_REGISTERS);
  return ((HLL_REGISTERS / (2 * Math.LN2)) * HLL_REGISTERS) / z;
}

function sigma(start: number): number {
  if (start === 1) return Number.POSITIVE_INFINITY;
  let x = start;
  let y = 1;
  let z = start;
  for (;;) {
    x *= x;
    const before = z;
    z += x * y;
    y += y;
    if (z === before) return z;
  }
}

function tau(start: number): number {
  if (start === 0 || start === 1) return 0;
  let x = start;
  let y = 1;
  let z = 1 - start;
  for (;;) {
    x = Math.sqrt(x);
    const before = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
    if (z === before) return z / 3;
  }
}

/** Sparse below 600 used registers (two bytes each), else six bits a register. */
const SPARSE_MAX = 600;

export function hllEncode(registers: Uint8Array, out: ByteWriter): void {
  let used = 0;
  for (let i = 0; i < HLL_REGISTERS; i++) if (registers[i] !== 0) used++;
  if (used <= SPARSE_MAX) {
    out.varint(used + 1);
    let last = 0;
    for (let i = 0; i < HLL_REGISTERS; i++) {
      if (registers[i] === 0) continue;
      out.varint(i - last);
      out.byte(registers[i] as number);
      last = i;
    }
    return;
  }
  out.varint(0);
  out.reserve((HLL_REGISTERS / 4) * 3);
  for (let i = 0; i < HLL_REGISTERS; i += 4) {
    const word = (registers[i] as number) | ((registers[i + 1] as number) << 6) | ((registers[i + 2] as number) << 12) | ((registers[i + 3] as number) << 18);
    out.byte(word & 0xff);
    out.byte((word >>> 8) & 0xff);
    out.byte(word >>> 16);
  }
}

export function hllDecode(input: ByteReader): Uint8Array {
  const registers = new Uint8Array(HLL_REGISTERS);
  const used = input.varint();
  if (used > 0) {
    let index = 0;
    for (let i = 1; i < used; i++) {
      index += input.varint();
      registers[index] = input.byte();
    }
    return registers;
  }
  for (let i = 0; i < HLL_REGISTERS; i += 4) {
    const word = input.byte() | (input.byte() << 8) | (input.byte() << 16);
    registers[i] = word & 63;
    registers[i + 1] = (word >>> 6) & 63;
    registers[i + 2] = (word >>> 12) & 63;
    registers[i + 3] = word >>> 18;
  }
  return registers;
}
