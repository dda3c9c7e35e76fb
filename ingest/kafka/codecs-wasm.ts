import type { Damage } from './codecs.ts';

/** The same memory under the name that the WASM functions ask for. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Bad input makes the WASM functions stop at `unreachable`. Anything else that they throw is a bug. */
export function guardWasm(codec: string, run: () => Uint8Array): Uint8Array | Damage {
  try {
    return run();
  } catch (error) {
    if (error instanceof Error && error.name === 'RuntimeError') return { damage: `${codec} data is damaged` };
    throw error;
  }
}
