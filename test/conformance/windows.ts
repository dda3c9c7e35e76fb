/** The promises of `WindowStore`, for every adapter. */
import { describe, expect, test } from 'vitest';
import { C, emptyCounters } from '../../core/counters.ts';
import { type Finding, findingId } from '../../core/finding.ts';
import type { WindowDocument, WindowStore } from '../../core/ports.ts';
import { Sketch } from '../../core/sketch/sketch.ts';
import { type EntityId, type Minute, OK, entityId } from '../../core/types.ts';
import { MINUTE_MS, windowOf } from '../../core/window.ts';

/** What a test reads back. */
export type ReadWindow = { readonly entity: string; readonly start: number; readonly requests: number; readonly label: string };
export type OpenWindows<S extends WindowStore> = {
  readonly open: () => Promise<S>;
  readonly windows: (store: S) => Promise<readonly ReadWindow[]>;
  readonly findings: (store: S) => Promise<readonly { readonly id: string; readonly why: string }[]>;
};

/** 2026-11-23 23:59 UTC: the next minute is another day. */
export const LAST_MINUTE: Minute = Date.UTC(2026, 10, 23, 23, 59) / MINUTE_MS;
const K1 = entityId('key', 'kf1_0123456789abcdef0123456789abcdef');

export function windowOfKey(over: {
  readonly requests: number;
  readonly minute?: Minute;
  readonly entity?: EntityId;
  readonly label?: string;
}): WindowDocument {
  const counters = emptyCounters();
  counters[C.requests] = over.requests;
  return {
    entity: over.entity ?? K1,
    resolution: 'minute',
    window: windowOf(over.minute ?? LAST_MINUTE),
    counters,
    sketch: () => new Sketch(),
    label: over.label ?? 'billing',
  };
}

export function findingOf(over: Partial<Finding> = {}): Finding {
  const entity = over.entity ?? K1;
  const window = over.window ?? windowOf(LAST_MINUTE);
  return {
    id: findingId('requests-per-minute', entity, window.start, 'critical'),
    rule: 'requests-per-minute',
    entity,
    window,
    severity: 'critical',
    score: 90,
    why: 'It made 1,200 requests in a minute.',
    observed: 1200,
    expected: 1000,
    unit: 'requests',
    action: 'apply rate limiting',
    contributions: [{ dimension: 'route', value: '/pay', share: 0.9 }],
    isLive: false,
    ...over,
  };
}

export function windowConformance<S extends WindowStore>(name: string, { open, windows, findings }: OpenWindows<S>): void {
  describe(`${name} keeps the promises of a window store`, () => {
    test('one document per key and minute, over the end of a day, also for names longer than an id may be', async () => {
      const store = await open();
      const long = (end: string): EntityId => entityId('client', `203.0.113.24 ${'agent '.repeat(400)}${end}`);
      const written = [
        windowOfKey({ requests: 1 }),
        windowOfKey({ requests: 2, minute: LAST_MINUTE + 1 }),
        windowOfKey({ requests: 3, entity: entityId('key', 'k2'), label: 'search' }),
        windowOfKey({ requests: 4, entity: long('one') }),
        windowOfKey({ requests: 5, entity: long('other') }),
      ];
      expect(await store.putWindows(written, 7)).toEqual(OK);
      const read = await windows(store);
      const sorted = (list: readonly ReadWindow[]): readonly ReadWindow[] => list.toSorted((a, b) => a.requests - b.requests);
      expect(sorted(read)).toEqual(written.map((window, i) => ({ entity: window.entity, start: window.window.start, requests: i + 1, label: window.label })));
    });

    test('a window is replaced by a newer judge and by the same one, never by a judge that lost its lease', async () => {
      const store = await open();
      const requests = async (): Promise<readonly number[]> => (await windows(store)).map((window) => window.requests);
      expect(await store.putWindows([windowOfKey({ requests: 10 })], 7)).toEqual(OK);
      expect(await store.putWindows([windowOfKey({ requests: 12 })], 7)).toEqual(OK);
      expect(await requests()).toEqual([12]);
      expect(await store.putWindows([windowOfKey({ requests: 20 })], 9)).toEqual(OK);
      expect(await store.putWindows([windowOfKey({ requests: 11 })], 8)).toEqual(OK);
      expect(await requests()).toEqual([20]);
    });

    test('a finding is created once: the first one stays', async () => {
      const store = await open();
      const other = findingOf({
        entity: entityId('key', `k${'x'.repeat(600)}`),
        id: `requests-per-minute|key:k${'x'.repeat(600)}|0|critical`,
        why: 'Another key.',
      });
      expect(await store.putFindings([findingOf(), other])).toEqual(OK);
      expect(await store.putFindings([findingOf({ why: 'Said again.' })])).toEqual(OK);
      const read = (await findings(store)).toSorted((a, b) => (a.why < b.why ? -1 : 1));
      expect(read).toEqual([
        { id: other.id, why: other.why },
        { id: findingOf().id, why: findingOf().why },
      ]);
    });

    test('nothing to write is fine', async () => {
      const store = await open();
      expect(await store.putWindows([], 1)).toEqual(OK);
      expect(await store.putFindings([])).toEqual(OK);
      expect(await windows(store)).toEqual([]);
    });
  });
}
