import { type BigIntStats, closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { Reader, type Response } from 'maxmind';
import { PRIVATE_RANGES, trustedProxies } from '../parse/address.ts';
import type { Geo } from './geo.ts';
import { asnOf, countryOf } from './geo-record.ts';

/** The bytes of a database, in memory that threads share: no thread opens a file, and all have one copy. */
export type GeoBytes = { readonly path: string; readonly bytes: Uint8Array<SharedArrayBuffer> };

/** What is known of a database that is in use. */
export type GeoDatabase = {
  readonly path: string;
  /** As its maker calls it: `GeoLite2-City`, `DBIP-ASN-Lite`. */
  readonly type: string;
  /** When its maker built it, in ms. */
  readonly builtAt: number;
  readonly bytes: number;
};

export type OpenedGeo = { readonly geo: MmdbGeo } | { readonly geo: undefined; readonly why: string };

/** Opens databases in MMDB form, whatever they hold; of several that know an address the first counts. Says in one line what is wrong with which. */
export function openGeo(paths: readonly string[]): OpenedGeo {
  const loaded: Loaded[] = [];
  for (const path of paths) {
    const found = load(path);
    if ('why' in found) return { geo: undefined, why: found.why };
    loaded.push(found);
  }
  return { geo: new MmdbGeo(loaded) };
}

/** In a thread, of the bytes that its parent opened. */
export function geoOf(shared: readonly GeoBytes[]): MmdbGeo {
  return new MmdbGeo(
    shared.map(({ path, bytes }) => {
      const found = decode(path, bytes, '');
      // They were readable when the parent opened them.
      if ('why' in found) throw new Error(`BUG: ${found.why}`);
      return found;
    }),
  );
}

type Loaded = { readonly path: string; readonly bytes: Uint8Array<SharedArrayBuffer>; readonly reader: Reader<Response>; readonly identity: string };

/**
 * Countries and networks from .mmdb files. Looking one up costs microseconds, so callers remember the answer per
 * address; files are read whole, once.
 */
export class MmdbGeo implements Geo {
  #loaded: readonly Loaded[];
  #version = 0;
  #faults = 0;
  #address = '';
  #country: string | undefined;
  #asn: string | undefined;

  constructor(loaded: readonly Loaded[]) {
    this.#loaded = loaded;
  }

  get version(): number {
    return this.#version;
  }

  /** How many addresses could not be looked up since a file is damaged where they lie. */
  get faults(): number {
    return this.#faults;
  }

  get databases(): readonly GeoDatabase[] {
    return this.#loaded.map(({ path, bytes, reader: { metadata } }) => ({
      path,
      type: metadata.databaseType,
      builtAt: metadata.buildEpoch.getTime(),
      bytes: bytes.length,
    }));
  }

  /** For threads: `geoOf` makes the same of it there. */
  get shared(): readonly GeoBytes[] {
    return this.#loaded.map(({ path, bytes }) => ({ path, bytes }));
  }

  country(address: string): string | undefined {
    this.#look(address);
    return this.#country;
  }

  asn(address: string): string | undefined {
    this.#look(address);
    return this.#asn;
  }

  /**
   * Reads the files again that have changed since; to be called now and then, as it only looks at each file's state.
   * Returns what cannot be read, one line each; there the old answers stay. Blocks for as long as reading takes.
   */
  reload(): readonly string[] {
    const problems: string[] = [];
    let isChanged = false;
    const loaded = this.#loaded.map((old) => {
      if (stateOf(old.path) === old.identity) return old;
      const found = load(old.path);
      if ('why' in found) {
        problems.push(`${found.why}; what it said before stays in use`);
        return old;
      }
      isChanged = true;
      return found;
    });
    if (isChanged) {
      this.#loaded = loaded;
      this.#version++;
      this.#address = '';
    }
    return problems;
  }

  #look(address: string): void {
    if (address === this.#address) return;
    this.#address = address;
    this.#country = undefined;
    this.#asn = undefined;
    const family = isIP(address);
    if (family === 0 || isPrivate(address)) return;
    for (const { reader } of this.#loaded) {
      // A tree of IPv4 addresses would be walked with the first bits of the other kind.
      if (family === 6 && reader.metadata.ipVersion === 4) continue;
      const record = this.#get(reader, address);
      if (record === undefined) continue;
      this.#country ??= countryOf(record);
      this.#asn ??= asnOf(record);
    }
  }

  #get(reader: Reader<Response>, address: string): Readonly<Record<string, unknown>> | undefined {
    try {
      const record: unknown = reader.get(address);
      return typeof record === 'object' && record !== null ? (record as Readonly<Record<string, unknown>>) : undefined;
    } catch {
      this.#faults++;
      return undefined;
    }
  }
}

const isPrivate = trustedProxies(PRIVATE_RANGES);

function load(path: string): Loaded | { readonly why: string } {
  try {
    const file = openSync(path, 'r');
    try {
      const stat = fstatSync(file, { bigint: true });
      const size = Number(stat.size);
      const bytes = new Uint8Array(new SharedArrayBuffer(size));
      let length = 0;
      while (length < size) {
        const read = readSync(file, bytes, length, size - length, length);
        if (read === 0) return { why: `the database ${path} became shorter while it was read` };
        length += read;
      }
      return decode(path, bytes, identityOf(stat));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return { why: `the database ${path} cannot be read: ${reasonOf(error)}` };
  }
}

function decode(path: string, bytes: Uint8Array<SharedArrayBuffer>, identity: string): Loaded | { readonly why: string } {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return { why: `the database ${path} is packed; unpack it with: gunzip` };
  try {
    const reader = new Reader<Response>(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    const { nodeCount, searchTreeSize, binaryFormatMajorVersion } = reader.metadata;
    if (binaryFormatMajorVersion !== 2 || !(nodeCount > 0) || searchTreeSize > bytes.length)
      return { why: `the database ${path} is damaged, or of a version that is not known` };
    return { path, bytes, reader, identity };
  } catch {
    return { why: `the database ${path} is no MMDB file, or not all of it` };
  }
}

/** Changes when a file was replaced or written to. */
function identityOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}`;
}

/** '' where nothing can be seen: reading it will say why. */
function stateOf(path: string): string {
  try {
    return identityOf(statSync(path, { bigint: true }));
  } catch {
    return '';
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
      return 'not allowed';
    case 'EISDIR':
      return 'it is a directory';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
