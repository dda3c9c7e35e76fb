import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BulkWriter, type BulkDocument, type BulkResult, type BulkWriterOptions } from '../../../storage/elasticsearch/bulk-writer.ts';
import { openElasticsearch } from '../../../storage/elasticsearch/client.ts';
import { FakeElasticsearch, type Fault } from '../../support/fake-elasticsearch.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

type Rig = AsyncDisposable & {
  readonly fake: FakeElasticsearch;
  readonly clock: VirtualClock;
  readonly writer: BulkWriter;
  /** Writes, and lets time go on whenever the writer waits for it. */
  readonly write: (documents: readonly BulkDocument[], signal?: AbortSignal) => Promise<BulkResult>;
};

async function rig(options: BulkWriterOptions = {}): Promise<Rig> {
  const fake = await new FakeElasticsearch().listen();
  const clock = new VirtualClock(1_000_000);
  // The jitter is as long as it can be.
  const cluster = await openElasticsearch({ nodes: [fake.url] }, { clock, random: () => 1 });
  const writer = new BulkWriter(cluster, options);
  return {
    fake,
    clock,
    writer,
    write: (documents, signal) => passing(clock, writer.writeAll(documents, signal === undefined ? {} : { signal })),
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await fake[Symbol.asyncDispose]();
    },
  };
}

async function passing<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  const end = new AbortController();
  const watched = work.finally(() => end.abort());
  const wait = async (): Promise<void> => {
    while (!end.signal.aborted) await (clock.sleepers > 0 ? clock.advance(250) : clock.settle());
  };
  await Promise.all([watched, wait()]);
  return watched;
}

function documents(count: number, version = 1): readonly BulkDocument[] {
  return Array.from({ length: count }, (_, i) => ({ op: 'index', index: 'rows', id: `r${i}`, version, source: `{"n":${i}}` }));
}

const overloaded: Fault = { kind: 'status', status: 429, type: 'es_rejected_execution_exception' };

describe('the bulk writer', () => {
  test('stores every document, in requests of bounded size, never more at once than it may', async () => {
    await using it = await rig({ docsMax: 100, inFlightMax: 3 });
    expect(await it.write(documents(1234))).toEqual({ outcome: { ok: true }, conflicts: 0 });
    expect(it.fake.documents.size).toBe(1234);
    expect(it.fake.get('rows', 'r1233')?.source).toBe('{"n":1233}');
    expect(it.fake.bulks.map((items) => items.length).toSorted((a, b) => b - a)).toEqual([...Array.from({ length: 12 }, () => 100), 34]);
    expect(it.fake.mostAtOnce).toBeLessThanOrEqual(3);
    expect(it.writer.stats).toMatchObject({ requests: 13, documents: 1234, retries: 0, failures: 0 });
    expect(it.writer.load).toEqual({ inFlight: 0, allowed: 3 });
  });

  test('two writes share the bound of requests at once', async () => {
    await using it = await rig({ docsMax: 10, inFlightMax: 2 });
    const gate = Promise.withResolvers<void>();
    it.fake.always = { kind: 'held', until: gate.promise };
    const writing = Promise.all([it.write(documents(200)), it.write(documents(200, 2))]);
    while (it.fake.bulks.length < 2) await it.clock.settle();
    gate.resolve();
    await writing;
    expect(it.fake.mostAtOnce).toBe(2);
    expect(it.fake.get('rows', 'r199')?.version).toBe(2);
  });

  test('an older version than the stored one is success, counted, and not sent again', async () => {
    await using it = await rig();
    await it.write(documents(10, 5));
    expect(await it.write(documents(20, 4))).toEqual({ outcome: { ok: true }, conflicts: 10 });
    expect(it.fake.bulks.length).toBe(2);
    expect(it.fake.get('rows', 'r0')?.version).toBe(5);
    expect(it.writer.stats).toMatchObject({ documents: 30, conflicts: 10, retries: 0 });
  });

  test('overload halves the requests at once and is tried again later, not before the server said', async () => {
    await using it = await rig({ docsMax: 10, inFlightMax: 4 });
    it.fake.faults.push({ ...overloaded, retryAfter: 7 });
    const before = it.clock.now();
    expect((await it.write(documents(10))).outcome).toEqual({ ok: true });
    expect(it.clock.now() - before).toBeGreaterThanOrEqual(7000);
    expect(it.writer.load.allowed).toBe(2);
    expect(it.writer.stats).toMatchObject({ overloads: 1, retries: 1 });
    await it.write(documents(100));
    expect(it.writer.load.allowed).toBe(4);
  });

  test.each<readonly [string, Fault]>([
    ['a node that is away', { kind: 'status', status: 503 }],
    ['a gateway in between', { kind: 'status', status: 502 }],
    ['a closed connection', { kind: 'closed' }],
    ['a lost answer', { kind: 'lost' }],
    ['half a request', { kind: 'half', documents: 3 }],
    ['a blocked index', { kind: 'status', status: 403, type: 'cluster_block_exception' }],
  ])('after %s the same documents are sent again and are there once', async (_name, fault) => {
    await using it = await rig();
    it.fake.faults.push(fault, fault);
    expect(await it.write(documents(10, 3))).toMatchObject({ outcome: { ok: true } });
    expect(it.fake.documents.size).toBe(10);
    expect(it.writer.stats).toMatchObject({ requests: 3, retries: 2, documents: 10 });
  });

  test('of a request that fails in part only what failed is sent again', async () => {
    await using it = await rig();
    const fails: Fault = { kind: 'items', fails: ({ id }) => (/[37]$/.test(id) ? { status: 429, type: 'es_rejected_execution_exception' } : undefined) };
    // The short answer, then the full one.
    it.fake.faults.push(fails, fails);
    expect((await it.write(documents(20))).outcome).toEqual({ ok: true });
    expect(it.fake.bulks.map((items) => items.length)).toEqual([20, 20, 4]);
    expect(it.fake.bulks[2]?.map((item) => item.id)).toEqual(['r3', 'r7', 'r13', 'r17']);
    expect(it.fake.documents.size).toBe(20);
  });

  test('a document that is not taken is named, without what is in it, and nothing more is sent', async () => {
    await using it = await rig({ docsMax: 5, inFlightMax: 1 });
    const reason = "failed to parse field [cells] of type [binary] in document with id 'r2'. Preview of field's value: 'the secret'";
    it.fake.always = { kind: 'items', fails: ({ id }) => (id === 'r2' ? { status: 400, type: 'document_parsing_exception', reason } : undefined) };
    const { outcome, failure } = await it.write(documents(20));
    expect(outcome).toMatchObject({ ok: false, retryable: false });
    expect(JSON.stringify(outcome)).toContain('document r2 of index rows: 400 document_parsing_exception failed to parse field [cells] of type [binary]');
    expect(JSON.stringify({ outcome, failure })).not.toContain('secret');
    expect(failure).toMatchObject({ id: 'r2', index: 'rows', type: 'document_parsing_exception' });
    expect(it.fake.bulks.length).toBe(2);
  });

  test('what goes on failing is told after a while, to be tried again by the caller', async () => {
    await using it = await rig({ patienceMs: 20_000 });
    it.fake.always = { kind: 'status', status: 429, type: 'cluster_block_exception' };
    const before = it.clock.now();
    const { outcome } = await it.write(documents(5));
    expect(outcome).toMatchObject({ ok: false, retryable: true });
    expect(JSON.stringify(outcome)).toContain('writing is blocked');
    expect(it.clock.now() - before).toBeLessThanOrEqual(20_000);
    it.fake.always = undefined;
    expect((await it.write(documents(5))).outcome).toEqual({ ok: true });
  });

  test('refused credentials are not tried again', async () => {
    await using it = await rig();
    it.fake.faults.push({ kind: 'status', status: 401, type: 'security_exception' });
    expect((await it.write(documents(5))).outcome).toMatchObject({ ok: false, retryable: false });
    expect(it.fake.bulks.length).toBe(1);
  });

  test('what is too large for a proxy is halved until it passes, also the next time', async () => {
    await using it = await rig();
    const large = documents(64).map((document) => ({ ...document, source: JSON.stringify({ text: 'x'.repeat(10_000) }) }));
    it.fake.bytesMax = 200_000;
    expect((await it.write(large)).outcome).toEqual({ ok: true });
    expect(it.fake.documents.size).toBe(64);
    const sent = it.fake.bulks.length;
    await it.write(large);
    expect(it.fake.bulks.slice(sent).every((items) => items.length <= 20)).toBe(true);
  });

  test('one document that is too large fails for good', async () => {
    await using it = await rig();
    it.fake.bytesMax = 10;
    expect((await it.write(documents(3))).outcome).toMatchObject({ ok: false, retryable: false });
  });

  test('a signal ends the waiting', async () => {
    await using it = await rig();
    it.fake.always = overloaded;
    const stop = new AbortController();
    const writing = it.writer.writeAll(documents(5), { signal: stop.signal });
    while (it.clock.sleepers === 0) await it.clock.settle();
    stop.abort();
    expect((await writing).outcome).toMatchObject({ ok: false, retryable: true });
  });

  test('whatever fails, every document ends in its newest version', async () => {
    const faultArb: fc.Arbitrary<Fault | undefined> = fc.oneof(
      { weight: 3, arbitrary: fc.constant(undefined) },
      fc.constantFrom<Fault>({ kind: 'lost' }, { kind: 'closed' }, overloaded, { kind: 'status', status: 503 }),
      fc.nat(8).map((count): Fault => ({ kind: 'half', documents: count })),
      fc.nat(6).map((rest): Fault => ({
        kind: 'items',
        fails: ({ id }) => (Number(id.slice(1)) % 7 === rest ? { status: 503, type: 'unavailable_shards_exception' } : undefined),
      })),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(faultArb, { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
        async (faults, versions) => {
          await using it = await rig({ docsMax: 7, inFlightMax: 3, patienceMs: 10_000_000 });
          it.fake.faults.push(...faults);
          for (const version of versions) expect((await it.write(documents(30, version))).outcome).toEqual({ ok: true });
          const newest = Math.max(...versions);
          expect(Array.from({ length: 30 }, (_, i) => it.fake.get('rows', `r${i}`)?.version)).toEqual(Array.from({ length: 30 }, () => newest));
        },
      ),
      { numRuns: 60 },
    );
  });
});
