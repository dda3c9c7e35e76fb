import type { Sender } from './sender.ts';

/** One sender that fails stops all of them. */
export async function together(senders: readonly Sender[], signal: AbortSignal, work: (sender: Sender, stop: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) stop.abort();
  try {
    const ends = await Promise.allSettled(
      senders.map(async (sender) => {
        try {
          await work(sender, stop.signal);
        } catch (error) {
          stop.abort();
          throw error;
        }
      }),
    );
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
