import { ByteReader, ByteWriter } from '../../core/bytes.ts';
import type { PartialBatch, PartialRow } from '../../core/partial.ts';
import type { PartitionProgress } from '../../core/ports.ts';
import type { EntityId } from '../../core/types.ts';

/** The first byte of every message, batches and progress alike: raised with every change of either. A reader that does not know it leaves the message out and says so, so that processes can be updated one by one. */
export const BUS_VERSION = 1;
/** Well below the 1 MiB that brokers accept by default, with room for the batch around it. */
export const PIECE_BYTES_MAX = 700_000;

const BATCH = 1;
const PROGRESS = 2;

/** One message of the bus topic. A large batch comes in several pieces, in order, in one partition. */
export type BusMessage =
  | { readonly kind: 'piece'; readonly from: string; readonly serial: number; readonly index: number; readonly count: number; readonly bytes: Uint8Array }
  | { readonly kind: 'progress'; readonly from: string; readonly partitions: readonly PartitionProgress[] }
  /** Of another version of Keywatch: what it holds cannot be known. */
  | { readonly kind: 'unknown'; readonly version: number };

/** The messages that bring one batch. `serial` tells the batches of one sender apart. */
export function encodeBatchMessages(
  batch: PartialBatch,
  sender: { readonly from: string; readonly serial: number },
  pieceBytesMax = PIECE_BYTES_MAX,
): readonly Uint8Array[] {
  const whole = encodeBatch(batch);
  const count = Math.max(1, Math.ceil(whole.length / pieceBytesMax));
  return Array.from({ length: count }, (_, index) => {
    const part = whole.subarray(index * pieceBytesMax, (index + 1) * pieceBytesMax);
    const out = new ByteWriter(part.length + 100);
    head(out, BATCH, sender.from);
    out.varint(sender.serial);
    out.varint(index);
    out.varint(count);
    out.raw(part);
    return out.take();
  });
}

export function encodeProgressMessage(from: string, partitions: readonly PartitionProgress[]): Uint8Array {
  const out = new ByteWriter(64 + partitions.length * 24);
  head(out, PROGRESS, from);
  out.varint(partitions.length);
  for (const { source, partition, newest, isAtEnd, heardAt, completeAt } of partitions) {
    out.varint(source);
    out.varint(partition);
    float(out, newest);
    out.byte(isAtEnd ? 1 : 0);
    float(out, heardAt);
    float(out, completeAt ?? Number.NaN);
  }
  return out.take();
}

/** Undefined for an empty message and for a kind that this version does not have. Throws on a message of this version that is cut short. */
export function decodeMessage(bytes: Uint8Array): BusMessage | undefined {
  const [version] = bytes;
  if (version === undefined) return undefined;
  if (version !== BUS_VERSION) return { kind: 'unknown', version };
  const input = new ByteReader(bytes, 1);
  const kind = input.byte();
  const from = text(input);
  if (kind === BATCH) {
    const serial = input.varint();
    const index = input.varint();
    const count = input.varint();
    return { kind: 'piece', from, serial, index, count, bytes: bytes.subarray(input.position) };
  }
  if (kind !== PROGRESS) return undefined;
  const partitions = Array.from({ length: input.varint() }, () => {
    const progress = {
      source: input.varint(),
      partition: input.varint(),
      newest: readFloat(input),
      isAtEnd: input.byte() === 1,
      heardAt: readFloat(input),
    };
    const completeAt = readFloat(input);
    return Number.isNaN(completeAt) ? progress : { ...progress, completeAt };
  });
  return { kind: 'progress', from, partitions };
}

/** Each entity once, cells in one run; what is small stays JSON, so that a new field of a batch needs no new version. */
export function encodeBatch(batch: PartialBatch): Uint8Array {
  const { rows, held, gone, aliases, ...rest } = batch;
  const numbers = new Map<EntityId, number>();
  const numberOf = (entity: EntityId): number => {
    let number = numbers.get(entity);
    if (number === undefined) numbers.set(entity, (number = numbers.size));
    return number;
  };
  const body = new ByteWriter(4096);
  writeRows(body, rows, numberOf);
  writeRows(body, held, numberOf);
  body.varint(gone.length);
  for (const { window, entity, isHeld } of gone) {
    body.varint(numberOf(entity));
    signed(body, window);
    body.byte(isHeld ? 1 : 0);
  }
  body.varint(aliases.length);
  for (const { credential, fingerprint } of aliases) {
    body.varint(numberOf(credential));
    body.varint(numberOf(fingerprint));
  }
  const out = new ByteWriter(body.length + 1024);
  writeText(out, JSON.stringify(rest));
  out.varint(numbers.size);
  for (const entity of numbers.keys()) writeText(out, entity);
  out.raw(body.bytes.subarray(0, body.length));
  return out.take();
}

export function decodeBatch(bytes: Uint8Array): PartialBatch {
  // Plain arrays, also where a client hands out Node's Buffers.
  const input = new ByteReader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
  const rest = JSON.parse(text(input)) as Omit<PartialBatch, 'rows' | 'held' | 'gone' | 'aliases'>;
  const entities = Array.from({ length: input.varint() }, () => text(input) as EntityId);
  const entity = (): EntityId => {
    const found = entities[input.varint()];
    if (found === undefined) throw new RangeError('BUG: a bus message names an entity that it does not hold');
    return found;
  };
  const rows = readRows(input, entity);
  const held = readRows(input, entity);
  const gone = Array.from({ length: input.varint() }, () => {
    const of = entity();
    return { window: readSigned(input), entity: of, isHeld: input.byte() === 1 };
  });
  const aliases = Array.from({ length: input.varint() }, () => ({ credential: entity(), fingerprint: entity() }));
  return { ...rest, rows, held, gone, aliases };
}

/** Puts the pieces of one sender in one partition together again. */
export class PieceJoiner {
  #open: { readonly serial: number; readonly parts: Uint8Array[] } | undefined;

  /** The whole batch's bytes when its last piece came. A piece that was sent twice changes nothing; a batch whose pieces are not all there is dropped when the next begins. */
  add(piece: Extract<BusMessage, { kind: 'piece' }>): Uint8Array | undefined {
    if (piece.index === 0 && piece.serial !== this.#open?.serial) this.#open = { serial: piece.serial, parts: [] };
    const open = this.#open;
    // The reader began in the middle of this batch: it is in the store already, or will be sent again.
    if (open === undefined || open.serial !== piece.serial) return undefined;
    if (piece.index < open.parts.length) return undefined;
    if (piece.index > open.parts.length) {
      this.#open = undefined;
      return undefined;
    }
    open.parts.push(piece.bytes);
    if (open.parts.length < piece.count) return undefined;
    this.#open = undefined;
    return open.parts.length === 1 ? piece.bytes : Buffer.concat(open.parts);
  }

  get isEmpty(): boolean {
    return this.#open === undefined;
  }
}

function writeRows(out: ByteWriter, rows: readonly PartialRow[], numberOf: (entity: EntityId) => number): void {
  out.varint(rows.length);
  for (const { window, entity, cells } of rows) {
    out.varint(numberOf(entity));
    signed(out, window);
    out.varint(cells.length);
    out.raw(cells);
  }
}

function readRows(input: ByteReader, entity: () => EntityId): readonly PartialRow[] {
  return Array.from({ length: input.varint() }, () => {
    const of = entity();
    const window = readSigned(input);
    return { window, entity: of, cells: input.raw(input.varint()) };
  });
}

const encoder = new TextEncoder();

function head(out: ByteWriter, kind: number, from: string): void {
  out.byte(BUS_VERSION);
  out.byte(kind);
  writeText(out, from);
}

function writeText(out: ByteWriter, value: string): void {
  const bytes = encoder.encode(value);
  out.varint(bytes.length);
  out.raw(bytes);
}

function text(input: ByteReader): string {
  const bytes = input.raw(input.varint());
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

/** Windows before 1970 exist in old logs. */
function signed(out: ByteWriter, value: number): void {
  out.varint(value < 0 ? -value * 2 - 1 : value * 2);
}

function readSigned(input: ByteReader): number {
  const value = input.varint();
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

function float(out: ByteWriter, value: number): void {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  out.raw(bytes);
}

function readFloat(input: ByteReader): number {
  const bytes = input.raw(8);
  return Buffer.from(bytes.buffer, bytes.byteOffset, 8).readDoubleLE(0);
}
