import { describe, expect, test } from 'vitest';
import { fresh, lacks, services } from '../../services/needs.ts';
import { Installation, type InstallationOptions, events, heard, until } from './installation.ts';
import { type Gate, startGate } from './gate.ts';
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
  gate.hold(async (_method, path) => {
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

  test('SIGTERM in the middle of a flush ends after it, and everything that was read is stored', async () => {
    await using gate = await startGate((await services()).elasticsearch);
    await using installed = await install('term', { elasticsearch: gate.url });
    await using run = installed.run();
    await sendAll(installed, 100);
    await installed.stored();
    const write = catchWrite(gate);
    await sendAll(installed, 100, 'later');
    await write.caught;
    run.process.kill('SIGTERM');
    await heard(run, 'SIGTERM: storing what was read, then stopping');
    gate.open();
    write.release();
    expect(await run.end()).toMatchObject({ code: 0 });
    expect(await installed.records()).toBe(installed.ledger.events);
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
