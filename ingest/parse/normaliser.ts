import type { Fingerprinter } from '../../core/fingerprint.ts';
import { networkOf } from '../../core/network.ts';
import { REJECT_REASONS, type RejectReason } from '../../core/types.ts';
import type { Geo } from '../enrich/geo.ts';
import { canonicalAgent } from '../redact.ts';
import { PRIVATE_RANGES, canonicalAddress, trustedProxies } from './address.ts';
import { accessOf, countOf, isNone, readCount, readStatus, skipScheme, splitRequest, statusOf } from './fields.ts';
import { KEY_NAMES, KeyNames } from './key-names.ts';
import { Owners } from './owners.ts';
import { Routes, isPath } from './route.ts';
import { Terms } from './terms.ts';
import { TimeReader, epochMs, isInRange, readDecimal } from './time.ts';
import { type EventCells, R, type Tokens } from './tokens.ts';

export type NormaliserOptions = {
  readonly fingerprinter: Fingerprinter;
  readonly keyNames?: readonly string[];
  /** Which name owns an event: the best there is (key, user, client), or always one kind. */
  readonly keyBy?: 'auto' | 'key' | 'user' | 'client';
  readonly trustedProxies?: readonly string[];
  /** How many hops of X-Forwarded-For are believed at most; 0 is no limit. */
  readonly forwardedDepth?: number;
  /** Where addresses are; without one countries and networks (ASN) are not counted. */
  readonly geo?: Geo | undefined;
};

/**
 * What parsing made of a record; the data's fault is a value, never an exception. A number, since there is one per
 * record: FINE, DROP, or a code for `reasonOf`.
 */
export type Verdict = number;
export const FINE: Verdict = 0;
export const DROP: Verdict = -1;
const FAULTS = new Map(REJECT_REASONS.map((reason, index) => [reason, index + 1]));

export function fault(reason: RejectReason): Verdict {
  return FAULTS.get(reason) as Verdict;
}

export function reasonOf(code: Verdict): RejectReason {
  return REJECT_REASONS[code - 1] as RejectReason;
}

const BAD_TIME = fault('bad_time');
const NO_TIME_FIELD = fault('no_time');
const TIME_OUT_OF_RANGE = fault('time_out_of_range');
const NO_STATUS = fault('no_status');
const BAD_STATUS = fault('bad_status');

const QUESTION_MARK = 63;
const TIME_BIT = 1 << R.time;
const STATUS_BIT = 1 << R.status;
const BYTES_IN_BIT = 1 << R.bytesIn;
const BYTES_OUT_BIT = 1 << R.bytesOut;
const LATENCY_BIT = 1 << R.latency;

/** No request takes longer than a day; larger values are another unit or garbage. */
const LATENCY_US_MAX = 86_400_000_000;

/**
 * Turns the fields of a record into an event: total, never throws on data. It owns the dictionaries of the
 * open segment; what it gives out are numbers, so nothing behind it can hold a raw key.
 */
export class Normaliser {
  readonly owners: Owners;
  /** A client field can hold a whole X-Forwarded-For list. */
  readonly addresses: Terms = new Terms((raw) => (raw.includes(',') ? this.#rightmostOf(raw) : canonicalAddress(raw)));
  readonly networks = new Terms((raw) => raw);
  readonly countries = new Terms((raw) => raw);
  readonly asns = new Terms((raw) => raw);
  readonly agents = new Terms(canonicalAgent);
  readonly routes = new Routes();
  readonly #keyNames: KeyNames;
  readonly #keyBy: 'auto' | 'key' | 'user' | 'client';
  readonly #isTrusted: (address: string) => boolean;
  readonly #depth: number;
  readonly #time = new TimeReader();
  /** Per address number: 0 unknown, 1 trusted proxy, 2 not. */
  #trust = new Uint8Array(1024);
  /** Per address number: the number of its network + 1, 0 unknown. */
  #network = new Int32Array(1024);
  readonly #geo: Geo | undefined;
  #geoVersion = 0;
  /** Per address number: the number of its country + 1 and of its ASN, 0 unknown. */
  #country = new Int32Array(0);
  #asn = new Int32Array(0);

  constructor(options: NormaliserOptions) {
    this.owners = new Owners(options.fingerprinter);
    this.#keyNames = new KeyNames(options.keyNames ?? KEY_NAMES);
    this.#keyBy = options.keyBy ?? 'auto';
    this.#isTrusted = trustedProxies(options.trustedProxies ?? PRIVATE_RANGES);
    this.#depth = options.forwardedDepth ?? 0;
    this.#geo = options.geo;
  }

  /** Leaves out what only sketches need: agents (of keys), routes and objects. For measuring what they cost. */
  isLean = false;

  /** How many terms and entities the dictionaries hold. */
  get size(): number {
    return this.owners.size + this.addresses.size + this.agents.size + this.routes.terms.size;
  }

  /** Only between segments: numbers given out before are void. */
  clear(): void {
    this.owners.clear();
    this.addresses.clear();
    this.networks.clear();
    this.agents.clear();
    this.routes.clear();
    this.#trust.fill(0);
    this.#network.fill(0);
    this.countries.clear();
    this.asns.clear();
    this.#country.fill(0);
  }

  networkNumber(address: number): number {
    if (address >= this.#network.length) this.#growAddresses(address);
    const known = this.#network[address] as number;
    if (known > 0) return known - 1;
    const number = this.networks.internText(networkOf(this.addresses.texts[address] ?? ''));
    this.#network[address] = number + 1;
    return number;
  }

  normalise(tokens: Tokens, cells: EventCells, latencyToUs: number): Verdict {
    const { buf, view, start, end, numeric, number } = tokens;
    if ((end[R.request] as number) > (start[R.request] as number)) splitRequest(tokens);
    const timeStart = start[R.time] as number;
    const timeEnd = end[R.time] as number;
    if (timeEnd <= timeStart) return NO_TIME_FIELD;
    const at = (numeric & TIME_BIT) === 0 ? this.#time.read(buf, view, timeStart, timeEnd) : epochMs(number[R.time] as number);
    if (Number.isNaN(at)) return BAD_TIME;
    if (!isInRange(at)) return TIME_OUT_OF_RANGE;
    cells.at = at;

    const status = (numeric & STATUS_BIT) === 0 ? readStatus(buf, start[R.status] as number, end[R.status] as number) : statusOf(number[R.status] as number);
    if (status < 0) return status === -1 ? NO_STATUS : BAD_STATUS;
    cells.status = status;

    cells.bytesIn =
      (numeric & BYTES_IN_BIT) === 0 ? readCount(buf, start[R.bytesIn] as number, end[R.bytesIn] as number) : countOf(number[R.bytesIn] as number);
    cells.bytesOut =
      (numeric & BYTES_OUT_BIT) === 0 ? readCount(buf, start[R.bytesOut] as number, end[R.bytesOut] as number) : countOf(number[R.bytesOut] as number);
    const latency = end[R.latency] as number;
    cells.latencyUs = -1;
    if (latency > (start[R.latency] as number)) {
      const value = ((numeric & LATENCY_BIT) === 0 ? readDecimal(buf, start[R.latency] as number, latency) : (number[R.latency] as number)) * latencyToUs;
      if (value >= 0 && value <= LATENCY_US_MAX) cells.latencyUs = Math.round(value);
    }
    cells.access = accessOf(buf, start[R.method] as number, end[R.method] as number);

    cells.address = this.#client(tokens);
    if (this.isLean) {
      this.#lean(tokens, cells);
      return FINE;
    }
    if (this.#geo !== undefined) this.#locate(this.#geo, cells);
    cells.agent = this.agents.intern(buf, view, start[R.agent] as number, end[R.agent] as number);

    let targetEnd = end[R.target] as number;
    let targetStart = start[R.target] as number;
    const routeStart = start[R.route] as number;
    const routeEnd = end[R.route] as number;
    let isNamed = routeEnd > routeStart && buf[routeStart] !== 45;
    if (isNamed && targetEnd <= targetStart && isPath(buf, routeStart, routeEnd)) {
      // A log whose only path is called a route, or an endpoint.
      targetStart = routeStart;
      targetEnd = routeEnd;
      isNamed = false;
    }
    let queryStart = start[R.query] as number;
    let queryEnd = end[R.query] as number;
    const template = this.routes.template(buf, view, targetStart, targetEnd);
    if (this.routes.pathEnd < targetEnd && queryEnd <= queryStart) {
      queryStart = this.routes.pathEnd + 1;
      queryEnd = targetEnd;
    }
    cells.objectHi = this.routes.objectHi;
    cells.objectLo = this.routes.objectLo;
    cells.route = isNamed ? this.routes.named(buf, view, routeStart, routeEnd) : template;

    // A fragment is no part of the query.
    for (let i = queryStart; i < queryEnd; i++) if (buf[i] === 35) queryEnd = i;
    this.#own(tokens, cells, queryStart, queryEnd);
    return FINE;
  }

  /** Sets country and ASN of the client. Each address is looked up once. */
  #locate(geo: Geo, cells: EventCells): void {
    const { address } = cells;
    if (geo.version !== this.#geoVersion) {
      this.#geoVersion = geo.version;
      this.#country.fill(0);
    }
    if (address >= this.#country.length) this.#growPlaces(address);
    if (this.#country[address] === 0) {
      const text = this.addresses.texts[address] ?? '';
      this.#country[address] = this.countries.internText(geo.country(text) ?? '') + 1;
      this.#asn[address] = this.asns.internText(geo.asn(text) ?? '');
    }
    cells.country = (this.#country[address] as number) - 1;
    cells.asn = this.#asn[address] as number;
  }

  #growPlaces(address: number): void {
    const capacity = Math.max(1024, this.#country.length * 2, address + 1);
    const country = new Int32Array(capacity);
    country.set(this.#country);
    this.#country = country;
    const asn = new Int32Array(capacity);
    asn.set(this.#asn);
    this.#asn = asn;
  }

  #lean(tokens: Tokens, cells: EventCells): void {
    const { buf, start, end } = tokens;
    let queryStart = start[R.query] as number;
    let queryEnd = end[R.query] as number;
    const targetEnd = end[R.target] as number;
    for (let i = start[R.target] as number; i < targetEnd && queryEnd <= queryStart; i++) {
      if (buf[i] !== QUESTION_MARK) continue;
      queryStart = i + 1;
      queryEnd = targetEnd;
    }
    this.#own(tokens, cells, queryStart, queryEnd);
  }

  /** The stored entity is a pure function of the record: credential id, else fingerprint, else user, else client. */
  #own(tokens: Tokens, cells: EventCells, queryStart: number, queryEnd: number): void {
    const { buf, view, start, end } = tokens;
    const owners = this.owners;
    cells.alias = -1;
    cells.isCredential = true;
    if (this.#keyBy === 'auto' || this.#keyBy === 'key') {
      const secret = this.#secret(tokens, queryStart, queryEnd);
      const idStart = start[R.credentialId] as number;
      const idEnd = end[R.credentialId] as number;
      if (idEnd > idStart && !isNone(buf, idStart, idEnd)) {
        cells.owner = owners.credentialId(buf, view, idStart, idEnd);
        if (secret >= 0 && secret !== cells.owner) cells.alias = secret;
        return;
      }
      if (secret >= 0) {
        cells.owner = secret;
        return;
      }
    }
    if (this.#keyBy === 'auto' || this.#keyBy === 'user') {
      const userStart = start[R.user] as number;
      const userEnd = end[R.user] as number;
      if (userEnd > userStart && !isNone(buf, userStart, userEnd)) {
        const user = owners.user(buf, userStart, userEnd);
        if (user >= 0) {
          cells.owner = user;
          return;
        }
      }
    }
    cells.isCredential = false;
    if (this.isLean) cells.agent = this.agents.intern(buf, view, start[R.agent] as number, end[R.agent] as number);
    cells.owner = owners.client(cells.address, cells.agent, this.addresses.texts[cells.address] ?? '', this.agents.texts[cells.agent] ?? '');
  }

  /** The raw key: the format's field, then the Authorization header, then the query. -1 when there is none. */
  #secret(tokens: Tokens, queryStart: number, queryEnd: number): number {
    const { buf, view, start, end } = tokens;
    const fieldStart = start[R.secret] as number;
    let fieldEnd = end[R.secret] as number;
    if (fieldEnd > fieldStart) {
      const known = this.owners.spelled(buf, view, fieldStart, fieldEnd);
      if (known >= 0) return known;
      // A header sent twice is logged as "k,k" or "k, k": the first counts.
      for (let i = fieldStart; i < fieldEnd; i++) if (buf[i] === 44) fieldEnd = i;
      const from = skipScheme(buf, fieldStart, fieldEnd);
      if (fieldEnd > from && !isNone(buf, from, fieldEnd)) {
        const owner = this.owners.secret(buf, view, from, fieldEnd);
        this.owners.spell(buf, view, fieldStart, end[R.secret] as number, owner);
        return owner;
      }
    }
    const headerStart = start[R.authorization] as number;
    const headerEnd = end[R.authorization] as number;
    if (headerEnd > headerStart) {
      const from = skipScheme(buf, headerStart, headerEnd);
      if (from > headerStart && headerEnd > from && !isNone(buf, from, headerEnd)) return this.owners.secret(buf, view, from, headerEnd);
    }
    if (queryEnd > queryStart && this.#keyNames.find(buf, queryStart, queryEnd)) {
      const { valueStart, valueEnd } = this.#keyNames;
      for (let i = valueStart; i < valueEnd; i++) {
        if (buf[i] === 37 || buf[i] === 43) return this.#decodedSecret(buf, valueStart, valueEnd);
      }
      return this.owners.secret(buf, view, valueStart, valueEnd);
    }
    return -1;
  }

  #decodedSecret(buf: Uint8Array, start: number, end: number): number {
    const raw = Buffer.from(buf.subarray(start, end)).toString('utf8').replaceAll('+', ' ');
    let text = raw;
    try {
      text = decodeURIComponent(raw);
    } catch {
      // A broken escape: the raw spelling is the key, as the gateway saw it.
    }
    const bytes = Buffer.from(text);
    return this.owners.secret(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length);
  }

  /** The right-most hop that is no trusted proxy; without a forwarding header, the peer. */
  #client(tokens: Tokens): number {
    const { buf, view, start, end } = tokens;
    const peerStart = start[R.address] as number;
    const peerEnd = end[R.address] as number;
    const forwardedStart = start[R.forwarded] as number;
    const forwardedEnd = end[R.forwarded] as number;
    const peer = this.addresses.intern(buf, view, peerStart, peerEnd);
    if (forwardedEnd <= forwardedStart || !this.#trusts(peer)) return peer;
    return this.#rightmost(buf, view, forwardedStart, forwardedEnd, peer);
  }

  #rightmostOf(list: string): string {
    const bytes = Buffer.from(list);
    return this.addresses.texts[this.#rightmost(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length, 0)] ?? '';
  }

  #rightmost(buf: Uint8Array, view: DataView, start: number, end: number, peer: number): number {
    let right = end;
    let client = peer;
    for (let hops = 1; right > start; hops++) {
      let left = right;
      while (left > start && buf[left - 1] !== 44) left--;
      const hop = this.#hop(buf, view, left, right);
      if (hop === 0) return client;
      client = hop;
      if (!this.#trusts(hop) || hops === this.#depth) return client;
      right = left - 1;
    }
    return client;
  }

  /** One hop of X-Forwarded-For, or of Forwarded (RFC 7239: `for="[2001:db8::1]:4711";proto=https`). */
  #hop(buf: Uint8Array, view: DataView, start: number, end: number): number {
    let from = start;
    let to = end;
    while (from < to && (buf[from] as number) <= 32) from++;
    while (to > from && (buf[to - 1] as number) <= 32) to--;
    let hasParameter = false;
    for (let i = from; i < to; i++) if (buf[i] === 61) hasParameter = true;
    if (!hasParameter) return this.addresses.intern(buf, view, from, to);
    const match = /(?:^|;)\s*for=("[^"]*"|[^;]*)/i.exec(Buffer.from(buf.subarray(from, to)).toString('latin1'));
    if (match === null) return 0;
    return this.addresses.internText(match[1] as string);
  }

  #trusts(address: number): boolean {
    if (address >= this.#trust.length) this.#growAddresses(address);
    const known = this.#trust[address] as number;
    if (known !== 0) return known === 1;
    const isTrusted = this.#isTrusted(this.addresses.texts[address] ?? '');
    this.#trust[address] = isTrusted ? 1 : 2;
    return isTrusted;
  }

  #growAddresses(address: number): void {
    const capacity = Math.max(this.#trust.length * 2, address + 1);
    const trust = new Uint8Array(capacity);
    trust.set(this.#trust);
    this.#trust = trust;
    const network = new Int32Array(capacity);
    network.set(this.#network);
    this.#network = network;
  }
}
