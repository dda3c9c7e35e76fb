import net from 'node:net';
import tls from 'node:tls';
import type { ISocketFactory } from 'kafkajs';

/** What the receiving side of a connection of kafkajs looks like. */
type Connection = {
  readonly authHandlers: object | null;
  readonly bytesBuffered: number;
  readonly requestQueue: { fulfillRequest(answer: { readonly size: number; readonly correlationId: number; readonly payload: Buffer }): void };
};
type ConnectionPrototype = { processData: (this: Connection, chunk: Buffer) => void };

const KEEP_ALIVE_MS = 60_000;
/** One read of a socket takes at most this much. */
const CHUNK_BYTES = 256 * 1024;
const SIZE_BYTES = 4;
const CORRELATION_BYTES = 4;

/**
 * Every socket of the process reads into this buffer, and each piece is copied out before the next read: one copy of what comes, where
 * kafkajs makes two and a heap object per 64 KiB, whose memory makes the collector walk the whole heap again and again.
 */
const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);

/** The sockets of kafkajs, which reads `data` events of a socket only. */
export const socketFactory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const onread = {
    buffer: chunk,
    callback: (bytes: number): boolean => {
      socket.emit('data', chunk.subarray(0, bytes));
      return true;
    },
  };
  const options = { host, port, onread };
  const socket = ssl ? tls.connect({ ...options, ...(net.isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect) : net.connect(options, onConnect);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return socket;
};

/** An answer of which not everything is here. */
class PartialAnswer {
  readonly size = Buffer.alloc(SIZE_BYTES);
  sizeFilled = 0;
  bytes: Buffer | undefined;
  filled = 0;

  get isEmpty(): boolean {
    return this.sizeFilled === 0;
  }

  /** What came of it so far, and nothing is left of it here. */
  take(): Buffer {
    const taken = Buffer.concat([this.size.subarray(0, this.sizeFilled), this.bytes?.subarray(0, this.filled) ?? Buffer.alloc(0)]);
    this.clear();
    return taken;
  }

  clear(): void {
    this.sizeFilled = 0;
    this.bytes = undefined;
    this.filled = 0;
  }

  /** Takes what it wants of the piece at `at`; returns where it stopped. */
  add(piece: Buffer, at: number): number {
    let from = at;
    while (this.sizeFilled < SIZE_BYTES && from < piece.length) this.size[this.sizeFilled++] = piece[from++] as number;
    if (this.sizeFilled < SIZE_BYTES) return from;
    this.bytes ??= Buffer.allocUnsafeSlow(Math.max(0, this.size.readInt32BE(0)));
    const end = Math.min(piece.length, from + this.bytes.length - this.filled);
    piece.copy(this.bytes, this.filled, from, end);
    this.filled += end - from;
    return end;
  }

  get isWhole(): boolean {
    return this.bytes !== undefined && this.filled === this.bytes.length;
  }
}

/** Puts an answer together in one buffer of its size. Logins are left to kafkajs. */
export function patchReceive(load: NodeJS.Require): void {
  const { prototype } = load('kafkajs/src/network/connection') as { readonly prototype: ConnectionPrototype };
  const stock = prototype.processData;
  const partials = new WeakMap<Connection, PartialAnswer>();
  prototype.processData = function receive(this: Connection, piece: Buffer): void {
    let partial = partials.get(this);
    if (this.authHandlers !== null || this.bytesBuffered > 0) {
      // What it keeps must not lie in our buffer.
      const kept = partial === undefined || partial.isEmpty ? Buffer.from(piece) : Buffer.concat([partial.take(), piece]);
      stock.call(this, kept);
      return;
    }
    if (partial === undefined) partials.set(this, (partial = new PartialAnswer()));
    for (let at = 0; at < piece.length;) {
      at = partial.add(piece, at);
      if (!partial.isWhole || partial.bytes === undefined) return;
      const answer = partial.bytes;
      partial.clear();
      if (answer.length < CORRELATION_BYTES) continue;
      this.requestQueue.fulfillRequest({ size: answer.length, correlationId: answer.readInt32BE(0), payload: answer.subarray(CORRELATION_BYTES) });
      // An answer may begin a login.
      if (this.authHandlers !== null && at < piece.length) {
        stock.call(this, Buffer.from(piece.subarray(at)));
        return;
      }
    }
  };
}
