import { memoryMetricStore } from '../../../storage/memory/metric-store.ts';
import { metricStoreConformance } from '../../conformance/metric-store.ts';

metricStoreConformance('memory', {
  open: async () => memoryMetricStore(),
  // All that it keeps is in its snapshot.
  reopen: async (store) => {
    const next = memoryMetricStore();
    if ('snapshot' in store) next.restore((store as ReturnType<typeof memoryMetricStore>).snapshot());
    return next;
  },
  runs: 100,
});
