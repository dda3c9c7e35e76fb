import { expect, test } from 'vitest';
import { OwnerNotifier } from '../../../app/pipeline/owner-notifier.ts';
import type { Notification } from '../../../core/alert.ts';
import { type EntityId, OK } from '../../../core/types.ts';
import { SAMPLES } from '../../alerts/support/samples.ts';

function sample(kind: string): Notification {
  const found = SAMPLES[kind];
  if (found === undefined) throw new Error(`no sample ${kind}`);
  return found;
}

test('each owner is told at the address that the inventory has now, and a key without one goes to the fallback channel', async () => {
  const told: string[] = [];
  const contacts = new Map<EntityId, string>();
  const notifier = new OwnerNotifier({
    open: (address) => ({
      name: 'owner',
      notify: async ({ kind }) => {
        told.push(`${address} ${kind}`);
        return OK;
      },
    }),
    contactOf: (lineage) => contacts.get(lineage),
  });
  const fired = sample('fired');
  const signal = new AbortController().signal;
  // A final failure is what the fallback channel hears of.
  expect(await notifier.notify(fired, signal)).toMatchObject({ ok: false, retryable: false });
  const lineage = fired.incident?.lineage;
  if (lineage === undefined) throw new Error('the sample has no incident');
  contacts.set(lineage, 'maria@example.com');
  expect(await notifier.notify(fired, signal)).toEqual(OK);
  contacts.set(lineage, 'ben@example.com');
  expect(await notifier.notify(sample('resolved'), signal)).toEqual(OK);
  contacts.set(lineage, 'ben@example.com\r\nBcc: eve@example.com');
  expect(await notifier.notify(fired, signal)).toMatchObject({ ok: false });
  expect(await notifier.notify(sample('digest'), signal)).toMatchObject({ ok: false, retryable: false });
  expect(told).toEqual(['maria@example.com fired', 'ben@example.com resolved']);
});
