import { describe, expect, test } from 'vitest';
import { fresh, lacks, services } from '../../services/needs.ts';
import { Installation, type InstallationOptions, events, heard, until } from './installation.ts';
import { type Gate, type GateRequest, type Instead, startGate } from './gate.ts';
import { same } from './ledger.ts';

const DAY_MS = 86_400_000;

async function install(what: string, options: Partial<InstallationOptions> = {}): Promise<Installation> {
  const { kafka: brokers, elasticsearch } = await services();
  return Installation.open({ name: fresh(`kwe-${what}`), brokers, elasticsearch, ...options });
}

/** Events on all partitions, of now. */
async function sendAll(installed: Installation, count: number, name?: string): Promise<void> {
  for (let partition = 0; partition < installed.partitions; partition++) await installed.send(events(count, name === undefined ? {} : { name }), { partition });
}

/** The next write of rows or of a segment waits at the gate; resolves when it is there. */
function catchWrite(gate: Gate, skip = 0): { readonly caught: Promise<void>; readonly release: () => void } {
  const caught = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  let left = skip;
  gate.hold(async ({ path }) => {
    if (!path.includes('_bulk') || left-- > 0) return;
    caught.resolve();
    await released.promise;
  });
  return { caught: caught.promise, release: () => released.resolve() };
}

describe.skipIf(lacks('kafka', 'elasticsearch')).concurrent('faults of Elasticsearch under keywatch run', { timeout: 180_000 }, () => {
  test('while indices are read-only nothing is lost: a line says what to do, and once it is done counting goes on', async () => {
    await using installed = await install('readonly');
    const { client } = await installed.elasticsearch();
    const block = (isBlocked: boolean): Promise<unknown> =>
      client.indices.putSettings({ index: `${installed.name}-partial-*`, settings: { 'index.blocks.read_only_allow_delete': isBlocked } });
    await using run = installed.run();
    await sendAll(installed, 100);
    await installed.stored();
    await block(true);
    await sendAll(installed, 100, 'blocked');
    await heard(run, /nothing more is read, since the store refuses: .*writing is blocked.*free disk space or remove index\.blocks\.read_only_allow_delete/);
    await block(false);
    await heard(run, 'the store accepts again');
    await installed.stored();
    expect(await run.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });

  test('a document that is refused for good halts its partition and is named, others go on, and once the mapping is mended it is counted', async () => {
    await using installed = await install('mapping');
    const { client } = await installed.elasticsearch();
    const yesterday = Date.now() - DAY_MS;
    const index = `${installed.name}-partial-${new Date(yesterday).toISOString().slice(0, 10).replaceAll('-', '.')}`;
    // As another program would that writes under our prefix.
    await client.indices.create({ index, mappings: { properties: { cells: { type: 'date' } } } });
    await using run = installed.run();
    await installed.send(events(90, { at: yesterday }), { partition: 0 });
    await heard(run, new RegExp(`/0: halted, since the store refuses for good: .*${installed.name}.*other partitions go on`));
    const halted = installed.ledger.events;
    await installed.send(events(120), { partition: 1 });
    await installed.send(events(120), { partition: 2 });
    await until(async () => (await installed.records()) === installed.ledger.events - halted, 'the others to be stored');
    await client.indices.delete({ index });
    await heard(run, '/0: the store accepts again');
    await installed.stored();
    expect(await run.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });

  // Of one partition: the hours that change, the rows, the segment.
  test.each([1, 2])('kill -9 at step %i of a flush, whose write arrives long after another process has gone on: nothing is lost or doubled', async (step) => {
    await using gate = await startGate((await services()).elasticsearch);
    await using installed = await install('kill', { elasticsearch: gate.url, partitions: 1 });
    const write = catchWrite(gate, step);
    {
      await using run = installed.run(undefined, ['--roles', 'ingest']);
      await installed.send(events(100));
      await write.caught;
      await run.stop('SIGKILL');
      gate.open();
    }
    await using last = installed.run();
    await installed.send(events(100, { name: 'later' }));
    // The broker waits for the dead one as long as its session lasts.
    await installed.stored();
    write.release();
    await installed.send(events(50));
    await installed.stored();
    expect(await last.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });
});

type Caught = {
  /** Resolves when the rows of so many partitions wait at the gate. */
  readonly rowsOf: (partitions: number) => Promise<void>;
  /** Lets go of everything that waits and comes. */
  readonly release: () => void;
};

/** From now on every write waits at the gate, and becomes what `instead` says. */
function catchWrites(gate: Gate, rows: string, instead: (request: GateRequest) => Instead | undefined = () => undefined): Caught {
  const released = Promise.withResolvers<void>();
  const partitions = new Set<string>();
  const waiting: { readonly partitions: number; readonly resolve: () => void }[] = [];
  gate.hold(async (request) => {
    if (!request.path.includes('_bulk')) return undefined;
    for (const [, partition] of request.body.matchAll(new RegExp(`"_index":"${rows}[^"]*","_id":"[0-9a-z]+\\.[0-9a-z]+\\.([0-9a-z]+)\\.`, 'g')))
      partitions.add(partition ?? '');
    for (const { partitions: wanted, resolve } of waiting) if (partitions.size >= wanted) resolve();
    await released.promise;
    return instead(request);
  });
  return {
    rowsOf: (wanted) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push({ partitions: wanted, resolve });
      if (partitions.size >= wanted) resolve();
      return promise;
    },
    release: () => released.resolve(),
  };
}

describe.skipIf(lacks('kafka', 'elasticsearch')).concurrent('keywatch run is told to stop', { timeout: 180_000 }, () => {
  test('in the middle of a flush: it ends after it, and everything that was read is stored', async () => {
    await using gate = await startGate((await services()).elasticsearch);
    await using installed = await install('stop', { elasticsearch: gate.url });
    await using run = installed.run();
    await sendAll(installed, 100);
    await installed.stored();
    const caught = catchWrites(gate, `${installed.name}-partial-`);
    await sendAll(installed, 100, 'later');
    // Rows at the gate were read before; that a record was sent does not say so.
    await caught.rowsOf(3);
    run.process.kill('SIGTERM');
    await heard(run, 'SIGTERM: storing what was read, then stopping');
    gate.open();
    caught.release();
    expect(await run.end()).toMatchObject({ code: 0 });
    expect(await installed.records()).toBe(installed.ledger.events);
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });

  test('while records come that it has not read yet: the next process reads them, and nothing is lost or doubled', async () => {
    await using gate = await startGate((await services()).elasticsearch);
    await using installed = await install('stop', { elasticsearch: gate.url });
    {
      await using run = installed.run();
      await sendAll(installed, 100);
      await installed.stored();
      const caught = catchWrites(gate, `${installed.name}-partial-`);
      await installed.send(events(100, { name: 'later' }), { partition: 0 });
      await caught.rowsOf(1);
      // Written to the log a moment before the signal: there is nothing that says whether this process still reads it.
      await installed.send(events(100, { name: 'later' }), { partition: 1 });
      await installed.send(events(100, { name: 'later' }), { partition: 2 });
      run.process.kill('SIGTERM');
      await heard(run, 'SIGTERM: storing what was read, then stopping');
      gate.open();
      caught.release();
      expect(await run.end()).toMatchObject({ code: 0 });
    }
    await using next = installed.run();
    await installed.stored();
    expect(await next.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });

  const written = {
    rows: ({ body }, installed) => body.includes(`"_index":"${installed.name}-partial-`),
    segment: ({ body }, installed) => body.includes(`"_index":"${installed.name}-segment"`),
  } satisfies Record<string, (request: GateRequest, installed: Installation) => boolean>;

  test.each([
    ['rows', 'refused'],
    ['rows', 'lost'],
    ['segment', 'refused'],
    ['segment', 'lost'],
  ] as const)('and the store fails meanwhile (%s %s): the next process goes on, and nothing is lost or doubled', async (what, instead) => {
    await using gate = await startGate((await services()).elasticsearch);
    await using installed = await install('stop', { elasticsearch: gate.url });
    {
      await using run = installed.run();
      await sendAll(installed, 100);
      await installed.stored();
      // Rows that are ahead of their segment, a segment that is not there, or one whose writer never heard that it is.
      const caught = catchWrites(gate, `${installed.name}-partial-`, (request) => (written[what](request, installed) ? instead : undefined));
      await sendAll(installed, 100, 'later');
      await caught.rowsOf(3);
      run.process.kill('SIGTERM');
      await heard(run, 'SIGTERM: storing what was read, then stopping');
      caught.release();
      expect(await run.end()).toMatchObject({ code: 0, stderr: expect.stringMatching(/stopped; not everything that was read is stored/) as unknown });
    }
    gate.open();
    await using next = installed.run();
    await sendAll(installed, 100, 'last');
    await installed.stored();
    expect(await next.stop('SIGTERM')).toMatchObject({ code: 0, stderr: expect.stringMatching(/stopped; everything that was read is stored/) as unknown });
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });
});
