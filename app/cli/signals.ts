/** A second signal this soon is the same wish, heard twice (a terminal signals a whole group). */
const TWICE_MS = 1500;

export type Stop = Disposable & { readonly signal: AbortSignal };

/** Aborts on SIGTERM and SIGINT. A second one, later, ends the process at once: what is stored is stored. */
export function stopOnSignals(onSignal: (signal: string) => void): Stop {
  const controller = new AbortController();
  let since = 0;
  const onStop = (name: NodeJS.Signals): void => {
    const now = performance.now();
    if (controller.signal.aborted) {
      if (now - since > TWICE_MS) process.exit(1);
      return;
    }
    since = now;
    onSignal(name);
    controller.abort();
  };
  process.on('SIGTERM', onStop).on('SIGINT', onStop);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => void process.off('SIGTERM', onStop).off('SIGINT', onStop),
  };
}
