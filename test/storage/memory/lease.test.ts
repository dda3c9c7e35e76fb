import { memoryLeaseStore } from '../../../storage/memory/lease.ts';
import { leaseConformance } from '../../conformance/lease.ts';

leaseConformance('memory', {
  openTwo: async () => {
    const store = memoryLeaseStore();
    return [store, store];
  },
  racers: 8,
  races: 20,
});
