import { C } from '../../../core/counters.ts';
import { memoryWindowStore } from '../../../storage/memory/windows.ts';
import { windowConformance } from '../../conformance/windows.ts';

windowConformance('memory', {
  open: async () => memoryWindowStore(),
  windows: async (store) =>
    [...store.windows.values()].map(({ window }) => ({
      entity: window.entity,
      start: window.window.start,
      requests: window.counters[C.requests] ?? 0,
      label: window.label,
    })),
  findings: async (store) => [...store.findings.values()].map(({ id, why }) => ({ id, why })),
});
