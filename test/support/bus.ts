import type { PartialBatch } from '../../core/partial.ts';
import type { PartialBus } from '../../core/ports.ts';

/** A bus with nobody at its other end; `told` sees what is published. */
export function quietBus(told: (batch: PartialBatch) => void = () => undefined): PartialBus {
  return {
    publish: async (batch) => told(batch),
    hint: () => undefined,
    progress: async () => undefined,
  };
}
