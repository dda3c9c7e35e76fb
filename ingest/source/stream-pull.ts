import type { Readable } from 'node:stream';

const NOTHING = new Uint8Array(0);

/** Pulls chunks from a readable stream, and tells when the next one would have to be waited for. */
export class StreamPull {
  readonly #stream: Readable;
  readonly #signal: AbortSignal;
  #failure: Error | undefined;
  #isEnded = false;
  #wake: (() => void) | undefined;

  constructor(stream: Readable, signal: AbortSignal) {
    this.#stream = stream;
    this.#signal = signal;
    stream.on('readable', this.#notify).on('end', this.#end).on('close', this.#end).on('error', this.#fail);
    signal.addEventListener('abort', this.#notify);
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  /** False when nothing is there right now. */
  get hasBuffered(): boolean {
    return this.#stream.readableLength > 0;
  }

  /** The next chunk; empty at the end, after a failure and when the signal aborts. */
  async next(): Promise<Uint8Array> {
    for (;;) {
      if (this.#signal.aborted) return NOTHING;
      const chunk: unknown = this.#stream.read();
      if (chunk instanceof Uint8Array) return chunk;
      if (typeof chunk === 'string') return Buffer.from(chunk);
      if (this.#isEnded || this.#failure !== undefined) return NOTHING;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Lets go of the stream; it is not destroyed. */
  close(): void {
    this.#stream.off('readable', this.#notify).off('end', this.#end).off('close', this.#end).off('error', this.#fail);
    this.#signal.removeEventListener('abort', this.#notify);
  }

  readonly #notify = (): void => {
    this.#wake?.();
  };

  readonly #end = (): void => {
    this.#isEnded = true;
    this.#notify();
  };

  readonly #fail = (error: Error): void => {
    this.#failure = error;
    this.#notify();
  };
}
