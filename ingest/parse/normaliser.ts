import type { Fingerprinter } from '../../core/fingerprint.ts';
import { networkOf } from '../../core/network.ts';
import { REJECT_REASONS, type RejectReason } from '../../core/types.ts';
import { canonicalAgent } from '../redact.ts';
import { PRIVATE_RANGES, canonicalAddress, trustedProxies } from './address.ts';
import { KEY_NAMES, KeyNames } from './key-names.ts';
import { Owners } from './owners.ts';
import { Routes } from './route.ts';
import { Terms } from './terms.ts';
import { TimeReader, isInRange, readDecimal } from './time.ts';
import { type EventCells, R, type Tokens } from './tokens.ts';

export type NormaliserOptions = {
  readonly fingerprinter: Fingerprinter;
  readonly keyNames?: readonly string[];
  /** Which name owns an event: the best there is (key, user, client), or always one kind. */
  readonly keyBy?: 'auto' | 'key' | 'user' | 'client';
  readonly trustedProxies?: readonly string[];
  /** How many hops of X-Forwarded-For are believed at most; 0 is no limit. */
  readonly forwardedDepth?: number;
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

  constructor(options: NormaliserOptions) {
    this.owners = new Owners(options.fingerprinter);
    this.#keyNames = new KeyNames(options.keyNames ?? KEY_NAMES);
    this.#keyBy = options.keyBy ?? 'auto';
    this.#isTrusted = trustedProxies(options.trustedProxies ?? PRIVATE_RANGES);
    this.#depth = options.forwardedDepth ?? 0;
  }

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
    this.routes.terms.clear();
    this.#trust.fill(0);
    this.#network.fill(0);
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
    const { buf, view, start, end } = tokens;
    if ((end[R.request] as number) > (start[R.request] as number)) splitRequest(tokens);
    const timeStart = start[R.time] as number;
    const timeEnd = end[R.time] as number;
    if (timeEnd <= timeStart) return NO_TIME_FIELD;
    const at = this.#time.read(buf, view, timeStart, timeEnd);
    if (Number.isNaN(at)) return BAD_TIME;
    if (!isInRange(at)) return TIME_OUT_OF_RANGE;
    cells.at = at;

    const status = readStatus(buf, start[R.status] as number, end[R.status] as number);
    if (status < 0) return status === -1 ? NO_STATUS : BAD_STATUS;
    cells.status = status;

    cells.bytesIn = readCount(buf, start[R.bytesIn] as number, end[R.bytesIn] as number);
    cells.bytesOut = readCount(buf, start[R.bytesOut] as number, end[R.bytesOut] as number);
    const latency = end[R.latency] as number;
    cells.latencyUs = -1;
    if (latency > (start[R.latency] as number)) {
      const value = readDecimal(buf, start[R.latency] as number, latency) * latencyToUs;
      if (value >= 0 && value <= LATENCY_US_MAX) cells.latencyUs = Math.round(value);
    }
    cells.access = accessOf(buf, start[R.method] as number, end[R.method] as number);

    cells.address = this.#client(tokens);
    cells.agent = this.agents.intern(buf, view, start[R.agent] as number, end[R.agent] as number);

    const targetEnd = end[R.target] as number;
    const targetStart = start[R.target] as number;
    let queryStart = start[R.query] as number;
    let queryEnd = end[R.query] as number;
    const template = this.routes.template(buf, view, targetStart, targetEnd);
    if (this.routes.pathEnd < targetEnd && queryEnd <= queryStart) {
      queryStart = this.routes.pathEnd + 1;
      queryEnd = targetEnd;
    }
    if ((end[R.route] as number) > (start[R.route] as number) && buf[start[R.route] as number] !== 45) {
      cells.route = this.routes.terms.intern(buf, view, start[R.route] as number, Math.min(end[R.route] as number, (start[R.route] as number) + 120));
    } else cells.route = template;
    cells.objectHi = this.routes.objectHi;
    cells.objectLo = this.routes.objectLo;

    // A fragment is no part of the query.
    for (let i = queryStart; i < queryEnd; i++) if (buf[i] === 35) queryEnd = i;
    this.#own(tokens, cells, queryStart, queryEnd);
    return FINE;
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
    cells.owner = owners.client(cells.address, cells.agent, this.addresses.texts[cells.address] ?? '', this.agents.texts[cells.agent] ?? '');
  }

  /** The raw key: the format's field, then the Authorization header, then the query. -1 when there is none. */
  #secret(tokens: Tokens, queryStart: number, queryEnd: number): number {
    const { buf, view, start, end } = tokens;
    const fieldStart = start[R.secret] as number;
    let fieldEnd = end[R.secret] as number;
    if (fieldEnd > fieldStart) {
      // A header sent twice is logged as "k,k" or "k, k": the first counts.
      for (let i = fieldStart; i < fieldEnd; i++) if (buf[i] === 44) fieldEnd = i;
      const from = skipScheme(buf, fieldStart, fieldEnd);
      if (fieldEnd > from && !isNone(buf, from, fieldEnd)) return this.owners.secret(buf, view, from, fieldEnd);
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

/** Cuts `METHOD target PROTOCOL` into method and target; what is no request line gives neither. */
export function splitRequest(tokens: Tokens): void {
  const { buf, start, end } = tokens;
  const from = start[R.request] as number;
  let to = end[R.request] as number;
  let at = from;
  while (at < to && buf[at] !== 32) at++;
  if (at === to || at === from) return;
  const methodEnd = at;
  while (at < to && buf[at] === 32) at++;
  // The protocol is the last word when it starts with "HTTP"; targets may hold spaces.
  for (let i = to - 1; i > at; i--) {
    if (buf[i] !== 32) continue;
    if (buf[i + 1] === 72 && buf[i + 2] === 84 && buf[i + 3] === 84 && buf[i + 4] === 80) to = i;
    break;
  }
  while (to > at && buf[to - 1] === 32) to--;
  start[R.method] = from;
  end[R.method] = methodEnd;
  start[R.target] = at;
  end[R.target] = to;
}

/** "", "-", "null" and what gateways write for a value that they hid. */
function isNone(buf: Uint8Array, start: number, end: number): boolean {
  const first = buf[start];
  if (end - start === 1) return first === 45;
  if (first === 42) {
    for (let i = start; i < end; i++) if (buf[i] !== 42) return false;
    return true;
  }
  if (end - start > 12 || (first !== 82 && first !== 114 && first !== 60 && first !== 91 && first !== 110 && first !== 40)) return false;
  return /^(?:<redacted>|\[redacted\]|redacted|null|\(null\)|none|nil)$/i.test(Buffer.from(buf.subarray(start, end)).toString('latin1'));
}

/** The position behind "Bearer ", "ApiKey ", "Key " or "Token "; `start` when there is no such scheme. */
function skipScheme(buf: Uint8Array, start: number, end: number): number {
  const limit = Math.min(end, start + 8);
  for (let i = start; i < limit; i++) {
    if (buf[i] !== 32) continue;
    if (!/^(?:bearer|apikey|api-key|key|token)$/i.test(Buffer.from(buf.subarray(start, i)).toString('latin1'))) return start;
    let at = i;
    while (at < end && buf[at] === 32) at++;
    return at;
  }
  return start;
}

/** 100-599, 0 for "the client went away", -1 missing, -2 no status. */
function readStatus(buf: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length === 3) {
    const a = (buf[start] as number) - 48;
    const b = (buf[start + 1] as number) - 48;
    const c = (buf[start + 2] as number) - 48;
    if (a >= 1 && a <= 5 && b >= 0 && b <= 9 && c >= 0 && c <= 9) {
      const status = a * 100 + b * 10 + c;
      return status === 499 ? 0 : status;
    }
  }
  if (length <= 0) return -1;
  if (length === 1 && buf[start] === 45) return 0;
  const value = readDecimal(buf, start, end);
  if (value === 0 || value === -1) return 0;
  return value >= 100 && value <= 599 && Number.isInteger(value) ? (value === 499 ? 0 : value) : -2;
}

/** A size in bytes; "-" is 0 where a server writes it for nothing sent; -1 when missing, negative or no number. */
function readCount(buf: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length <= 0) return -1;
  if (length <= 9) {
    let value = 0;
    let at = start;
    for (; at < end; at++) {
      const digit = (buf[at] as number) - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (at === end) return value;
  }
  if (length === 1 && buf[start] === 45) return 0;
  const value = readDecimal(buf, start, end);
  return value >= 0 && value <= Number.MAX_SAFE_INTEGER ? Math.floor(value) : -1;
}

/** GET, HEAD and OPTIONS read; POST, PUT, PATCH and DELETE write. */
function accessOf(buf: Uint8Array, start: number, end: number): number {
  const length = end - start;
  const a = buf[start] as number;
  const b = buf[start + 1] as number;
  switch (length) {
    case 3:
      return a === 71 && b === 69 ? 1 : a === 80 && b === 85 ? 2 : 0;
    case 4:
      return a === 72 && b === 69 ? 1 : a === 80 && b === 79 ? 2 : 0;
    case 5:
      return a === 80 && b === 65 ? 2 : 0;
    case 6:
      return a === 68 && b === 69 ? 2 : 0;
    case 7:
      return a === 79 && b === 80 ? 1 : 0;
    default:
      return 0;
  }
}
