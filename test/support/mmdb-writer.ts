import { isIP } from 'node:net';
import { expandIpv6 } from '../../core/network.ts';

/**
 * Writes databases in the MaxMind DB format, version 2.0, after its public specification: a binary search tree over
 * the bits of addresses, 16 zero bytes, a data section, and metadata behind a marker. Small: for tests.
 */
export type MmdbValue = string | number | boolean | bigint | readonly MmdbValue[] | { readonly [name: string]: MmdbValue };
export type MmdbOptions = {
  readonly type?: string;
  readonly ipVersion?: 4 | 6;
  readonly recordSize?: 24 | 28 | 32;
  readonly builtAt?: number;
};

type Node = { readonly kind: 'node'; left: Child; right: Child };
type Leaf = { readonly kind: 'leaf'; readonly value: MmdbValue };
type Child = Node | Leaf | undefined;

/** `networks` are CIDR ranges; a later one inside an earlier one wins. */
export function mmdbOf(networks: Readonly<Record<string, MmdbValue>>, options: MmdbOptions = {}): Buffer {
  const { type = 'Test', ipVersion = 6, recordSize = 24, builtAt = Date.UTC(2026, 0, 1) } = options;
  const root: Node = { kind: 'node', left: undefined, right: undefined };
  const ranges = Object.entries(networks)
    .map(([cidr, value]) => ({ bits: bitsOf(cidr, ipVersion), value }))
    .sort((a, b) => a.bits.length - b.bits.length);
  for (const { bits, value } of ranges) insert(root, bits, value);

  const nodes: Node[] = [];
  const numbers = new Map<Node, number>();
  const visit = (child: Child): void => {
    if (child?.kind !== 'node') return;
    numbers.set(child, nodes.length);
    nodes.push(child);
    visit(child.left);
    visit(child.right);
  };
  visit(root);

  // The same value is stored once.
  const data: Buffer[] = [];
  const offsets = new Map<string, number>();
  let length = 0;
  const offsetOf = (value: MmdbValue): number => {
    const key = JSON.stringify(value);
    const known = offsets.get(key);
    if (known !== undefined) return known;
    const bytes = encode(value);
    offsets.set(key, length);
    data.push(bytes);
    length += bytes.length;
    return length - bytes.length;
  };
  const recordOf = (child: Child): number => {
    if (child === undefined) return nodes.length;
    return child.kind === 'node' ? (numbers.get(child) ?? 0) : nodes.length + 16 + offsetOf(child.value);
  };
  const tree = Buffer.concat(nodes.map((node) => record(recordOf(node.left), recordOf(node.right), recordSize)));
  const metadata = encode({
    node_count: nodes.length,
    record_size: recordSize,
    ip_version: ipVersion,
    database_type: type,
    languages: ['en'],
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: BigInt(Math.floor(builtAt / 1000)),
    description: { en: type },
  });
  return Buffer.concat([tree, Buffer.alloc(16), ...data, Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'), metadata]);
}

/** The bits of a range, most significant first. In a tree of IPv6 an IPv4 address has 96 zeros in front. */
function bitsOf(cidr: string, ipVersion: 4 | 6): readonly number[] {
  const [address = '', prefix] = cidr.split('/');
  const family = isIP(address);
  if (family === 0 || (family === 6 && ipVersion === 4)) throw new Error(`"${cidr}" does not fit into a tree of IPv${ipVersion}`);
  const bytes = family === 4 ? address.split('.').map(Number) : (expandIpv6(address) ?? []).flatMap((group) => [group >> 8, group & 255]);
  const own = bytes
    .flatMap((byte) => Array.from({ length: 8 }, (_, bit) => (byte >> (7 - bit)) & 1))
    .slice(0, prefix === undefined ? undefined : Number(prefix));
  return family === 4 && ipVersion === 6 ? [...Array.from({ length: 96 }, () => 0), ...own] : own;
}

function insert(root: Node, bits: readonly number[], value: MmdbValue): void {
  let node = root;
  bits.forEach((bit, depth) => {
    const side = bit === 0 ? 'left' : 'right';
    if (depth === bits.length - 1) {
      node[side] = { kind: 'leaf', value };
      return;
    }
    const child = node[side];
    // A wider range above: its value goes on beside the narrower one.
    const next: Node = child?.kind === 'node' ? child : { kind: 'node', left: child, right: child };
    node[side] = next;
    node = next;
  });
}

function record(left: number, right: number, size: 24 | 28 | 32): Buffer {
  const bytes = Buffer.alloc(size / 4);
  if (size === 32) {
    bytes.writeUInt32BE(left, 0);
    bytes.writeUInt32BE(right, 4);
  } else if (size === 24) {
    bytes.writeUIntBE(left, 0, 3);
    bytes.writeUIntBE(right, 3, 3);
  } else {
    // The middle byte holds the high four bits of both.
    bytes.writeUIntBE(left & 0xffffff, 0, 3);
    bytes.writeUInt8(((left >>> 24) << 4) | (right >>> 24), 3);
    bytes.writeUIntBE(right & 0xffffff, 4, 3);
  }
  return bytes;
}

/** Types: 2 text, 3 double, 6 unsigned 32 bit, 7 map, 9 unsigned 64 bit, 11 array, 14 boolean. */
function encode(value: MmdbValue): Buffer {
  if (typeof value === 'string') return Buffer.concat([control(2, Buffer.byteLength(value)), Buffer.from(value)]);
  if (typeof value === 'boolean') return control(14, value ? 1 : 0);
  if (typeof value === 'bigint') return unsigned(9, value);
  if (typeof value === 'number') {
    if (Number.isInteger(value) && value >= 0 && value <= 0xffffffff) return unsigned(6, BigInt(value));
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    return Buffer.concat([control(3, 8), bytes]);
  }
  if (isList(value)) return Buffer.concat([control(11, value.length), ...value.map(encode)]);
  const entries = Object.entries(value);
  return Buffer.concat([control(7, entries.length), ...entries.flatMap(([name, inner]) => [encode(name), encode(inner)])]);
}

function isList(value: MmdbValue): value is readonly MmdbValue[] {
  return Array.isArray(value);
}

function unsigned(type: number, value: bigint): Buffer {
  const hex = value === 0n ? '' : value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return Buffer.concat([control(type, bytes.length), bytes]);
}

/** Type in the high three bits, or in a second byte for types above 7; size in the low five, longer ones behind. */
function control(type: number, size: number): Buffer {
  const short = size < 29 ? size : size < 285 ? 29 : size < 65_821 ? 30 : 31;
  const head = type <= 7 ? [(type << 5) | short] : [short, type - 7];
  const rest = Buffer.alloc(short < 29 ? 0 : short - 28);
  if (short === 29) rest.writeUInt8(size - 29);
  else if (short === 30) rest.writeUInt16BE(size - 285);
  else if (short === 31) rest.writeUIntBE(size - 65_821, 0, 3);
  return Buffer.concat([Buffer.from(head), rest]);
}
