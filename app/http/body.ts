import type { IncomingMessage } from 'node:http';
import { type ZlibOptions, type ZstdOptions, constants, gunzip, inflate, inflateRaw, zstdDecompress } from 'node:zlib';
import { type Refusal, comeAgain, refusal } from './answer.ts';

/** Bodies that are held at one time: many large ones at once must not use up the memory. */
export class BodyBudget {
  readonly bytesMax: number;
  readonly unpacking = new Turns(UNPACKING_MAX);
  #bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** One account for one request; `close` gives back what it holds. */
  open(): BodyAccount {
    let held = 0;
    return {
      take: (bytes) => {
        if (this.#bytes > 0 && this.#bytes + bytes > this.bytesMax) return false;
        this.#bytes += bytes;
        held += bytes;
        return true;
      },
      close: () => {
        this.#bytes -= held;
        held = 0;
      },
    };
  }
}

export type BodyAccount = { readonly take: (bytes: number) => boolean; readonly close: () => void };

/** Unpacking holds up to a whole body that is on no account yet. */
const UNPACKING_MAX = 2;
/** zstd may ask for a window of this many bytes (2^n): enough for all but --ultra and --long. */
const ZSTD_WINDOW_LOG_MAX = 25;
/** Streams of many tiny frames are made to keep us busy. */
const ZSTD_FRAMES_MAX = 1000;

export const ENCODINGS = 'gzip, deflate, zstd';

/** `gone`: the sender hung up, nobody waits for an answer. */
export type Body = { readonly bytes: Buffer } | { readonly refusal: Refusal } | 'gone';

/** The body of a request, unpacked, with its size bounded before and after that. */
export async function readBody(
  request: IncomingMessage,
  limits: { readonly bytesMax: number; readonly budget: BodyBudget; readonly account: BodyAccount },
): Promise<Body> {
  const encoding = encodingOf(request.headers['content-encoding']);
  if (encoding === undefined)
    return {
      refusal: refusal(415, 'the Content-Encoding is not one that keywatch unpacks', `use one of ${ENCODINGS}, or none`, { 'accept-encoding': ENCODINGS }),
    };
  const raw = await collect(request, limits);
  if (raw === 'gone' || 'refusal' in raw) return raw;
  // Senders forget to say so; no log line begins like this.
  const packing = encoding === 'identity' && raw.bytes[0] === 0x1f && raw.bytes[1] === 0x8b ? 'gzip' : encoding;
  if (packing === 'identity' || raw.bytes.length === 0) return raw;
  const unpacked = await limits.budget.unpacking.run(() => unpack(packing, raw.bytes, limits.bytesMax));
  if ('refusal' in unpacked) return unpacked;
  return limits.account.take(unpacked.bytes.length) ? unpacked : { refusal: busy() };
}

type Encoding = 'gzip' | 'deflate' | 'zstd' | 'identity';

function encodingOf(header: string | undefined): Encoding | undefined {
  switch (header?.trim().toLowerCase()) {
    case undefined:
    case '':
    case 'identity':
      return 'identity';
    case 'gzip':
    case 'x-gzip':
      return 'gzip';
    case 'deflate':
      return 'deflate';
    case 'zstd':
      return 'zstd';
    default:
      return undefined;
  }
}

/** What comes after a refusal is read and thrown away, so that the sender reads the answer instead of a broken connection. */
function collect(request: IncomingMessage, limits: { readonly bytesMax: number; readonly account: BodyAccount }): Promise<Body> {
  const { bytesMax, account } = limits;
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return Promise.resolve({ refusal: tooLarge(bytesMax, false) });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (body: Body): void => {
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      // An error that comes later has nobody to be told to.
      request.on('error', () => undefined);
      if (body === 'gone' || 'refusal' in body) request.resume();
      resolve(body);
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > bytesMax) settle({ refusal: tooLarge(bytesMax, false) });
      else if (!account.take(chunk.length)) settle({ refusal: busy() });
      else chunks.push(chunk);
    };
    const onEnd = (): void => settle({ bytes: chunks.length === 1 ? (chunks[0] ?? NOTHING) : Buffer.concat(chunks) });
    const onClose = (): void => settle('gone');
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

const NOTHING = Buffer.alloc(0);

async function unpack(
  encoding: Exclude<Encoding, 'identity'>,
  bytes: Buffer,
  bytesMax: number,
): Promise<{ readonly bytes: Buffer } | { readonly refusal: Refusal }> {
  const parts: Buffer[] = [];
  let length = 0;
  let rest = bytes;
  // gzip members are joined by the decoder itself; several zstd frames are one body.
  const partsMax = encoding === 'zstd' ? ZSTD_FRAMES_MAX : 1;
  try {
    while (rest.length > 0 && parts.length < partsMax && (length < bytesMax || parts.length === 0)) {
      const part = await unpackOne(encoding, rest, bytesMax - length);
      parts.push(part.bytes);
      length += part.bytes.length;
      rest = rest.subarray(part.used);
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
    if (code === 'ERR_BUFFER_TOO_LARGE') return { refusal: tooLarge(bytesMax, true) };
    if (code === undefined) throw error;
    if (code.includes('window')) return { refusal: refusal(415, 'the zstd stream needs too large a window', 'pack it without --long and --ultra') };
    return { refusal: refusal(400, `the body is cut or is not ${encoding}`, `send what Content-Encoding: ${encoding} says, whole`) };
  }
  if (rest.length === 0) return { bytes: parts.length === 1 ? (parts[0] ?? NOTHING) : Buffer.concat(parts) };
  if (length >= bytesMax) return { refusal: tooLarge(bytesMax, true) };
  return { refusal: refusal(400, `${rest.length} bytes follow the end of the ${encoding} stream`, 'send one packed stream and nothing else') };
}

type Unpacked = { readonly bytes: Buffer; readonly used: number };

function unpackOne(encoding: Exclude<Encoding, 'identity'>, bytes: Buffer, outputMax: number): Promise<Unpacked> {
  // The decoder knows no limit of 0.
  const limit = { maxOutputLength: Math.max(1, outputMax), info: true };
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, result: unknown): void => {
      if (error !== null) reject(error);
      else resolve(unpackedOf(result));
    };
    if (encoding === 'gzip') gunzip(bytes, limit satisfies ZlibOptions, done);
    else if (encoding === 'deflate') (isZlib(bytes) ? inflate : inflateRaw)(bytes, limit satisfies ZlibOptions, done);
    else zstdDecompress(bytes, { ...limit, params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX } } satisfies ZstdOptions, done);
  });
}

/** With `info` the engine says how much it used; the types do not know that. */
function unpackedOf(result: unknown): Unpacked {
  const { buffer, engine } = result as { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } };
  return { bytes: buffer, used: engine.bytesWritten };
}

/** `deflate` means zlib's wrapping; some senders leave it out. */
function isZlib(bytes: Buffer): boolean {
  return bytes.length >= 2 && (bytes.readUInt8(0) & 0x0f) === 8 && bytes.readUInt16BE(0) % 31 === 0;
}

function tooLarge(bytesMax: number, isUnpacked: boolean): Refusal {
  return refusal(413, `the body is larger than ${bytesMax} bytes${isUnpacked ? ' when unpacked' : ''}`, 'send fewer events at once, or raise http.maxBody');
}

function busy(): Refusal {
  return comeAgain(429, 1000, 'too many requests are being received at once');
}

/** Lets a few work at one time; the others wait their turn. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
