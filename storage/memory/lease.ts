import type { LeaseRecord, LeaseStore } from '../../core/ports.ts';

/** Leases of the processes of a test: one map that they share. */
export function memoryLeaseStore(): LeaseStore {
  const leases = new Map<string, LeaseRecord>();
  return {
    read: async (name) => leases.get(name),
    write: async (name, expected, next) => {
      const stored = leases.get(name);
      if (stored?.holder !== expected?.holder || stored?.beat !== expected?.beat) return 'lost';
      leases.set(name, { holder: next.holder, beat: next.beat });
      return 'written';
    },
  };
}
