import { describe, expect, test } from 'vitest';
import { fresh, lacks, services } from '../../services/needs.ts';
import { produceRaw } from '../../support/raw-produce.ts';
import { encodeRecordBatch } from '../../support/record-batch.ts';
import { Installation, type InstallationOptions, events, heard, lineOf, until } from './installation.ts';
import { same } from './ledger.ts';

async function install(what: string, options: Partial<InstallationOptions> = {}): Promise<Installation> {
  const { kafka: brokers, elasticsearch } = await services();
  return Installation.open({ name: fresh(`kwe-${what}`), brokers, elasticsearch, ...options });
}

/** Counts everything that is there, in a process of its own that ends in order. */
async function counted(installed: Installation, records?: number): Promise<string> {
  await using run = installed.run();
  await installed.stored(records);
  const { code, stderr } = await run.stop('SIGTERM');
  expect(code).toBe(0);
  return stderr;
}

const emptied = (installed: Installation): Promise<void> =>
  installed.admin((admin) => until(async () => (await admin.describeGroups([installed.group])).groups[0]?.members.length === 0, 'the group to be empty'));

/** As retention would: the log begins at `offset` then. */
const cut = (installed: Installation, partition: number, offset: number): Promise<void> =>
  installed.admin(async (admin) => {
    await admin.fetchTopicOffsets(installed.topic);
    await admin.deleteTopicRecords({ topic: installed.topic, partitions: [{ partition, offset: String(offset) }] });
  });

describe.skipIf(lacks('kafka', 'elasticsearch')).concurrent('faults of a topic under keywatch run', { timeout: 180_000 }, () => {
  test('a topic deleted and made anew while it is read halts, and is counted on under a new generation; both logs add up', async () => {
    await using installed = await install('anew');
    await installed.send(events(600));
    await using first = installed.run();
    await installed.stored();
    await installed.admin((admin) => admin.deleteTopics({ topics: [installed.topic] }));
    await installed.makeTopic();
    await installed.send(events(300, { name: 'later' }));
    await heard(first, /\/0: halted: .*the topic was (?:deleted and )?made anew.*`keywatch generation new` lets counting go on/);
    const refused = await installed.cli(['generation', 'new']);
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toContain('stop all of them first');
    expect(await first.stop('SIGTERM')).toMatchObject({ code: 0 });
    await emptied(installed);
    expect(await installed.cli(['generation', 'new'])).toMatchObject({ code: 0 });
    await counted(installed);
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });

  test('records that retention removed before they were counted halt their partition and no other, until a person decides', async () => {
    await using installed = await install('removed');
    await installed.send(events(100), { partition: 0 });
    await counted(installed);
    // In no ledger: nobody will ever count them.
    await installed.sendRaw(
      events(50).map((event) => lineOf(event)),
      { partition: 0 },
    );
    await cut(installed, 0, 120);
    await cut(installed, 0, 150);
    await using run = installed.run();
    await heard(run, /halted: records 100 to 149 were removed from the topic before they were counted/);
    await installed.send(events(80), { partition: 1 });
    await installed.stored();
    expect(await run.stop('SIGTERM')).toMatchObject({ code: 0 });
    await emptied(installed);
    await installed.send(events(30), { partition: 0 });
    expect(await installed.cli(['generation', 'new'])).toMatchObject({ code: 0 });
    await counted(installed);
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });

  test('where the start of an open segment is removed, the stored rows are gone on with', async () => {
    await using installed = await install('rows');
    await installed.send(events(400), { partition: 0 });
    await counted(installed);
    await installed.send(events(200), { partition: 0 });
    await cut(installed, 0, 400);
    const log = await counted(installed);
    expect(log).not.toContain('halted');
    expect((await installed.heads())[0]?.segment.start).toBe(0);
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });

  test('an offset that an operator puts into the middle of a segment changes no sum', async () => {
    await using installed = await install('reset');
    await installed.send(events(500), { partition: 0 });
    await counted(installed);
    await emptied(installed);
    await installed.admin((admin) => admin.setOffsets({ groupId: installed.group, topic: installed.topic, partitions: [{ partition: 0, offset: '123' }] }));
    await installed.send(events(100), { partition: 0 });
    expect(await counted(installed)).toContain(`the offset 123 that group ${installed.group} has committed is not ours and is ignored`);
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });

  test('records without a time are counted at the time of their event', async () => {
    await using installed = await install('no-time', { topicSettings: { 'message.timestamp.type': 'CreateTime' } });
    const { kafka: brokers } = await services();
    const sent = [...events(40), ...events(40, { at: Date.now() - 3_600_000 }), ...events(40, { at: Date.now() - 30 * 86_400_000 })];
    await produceRaw(
      brokers,
      installed.topic,
      encodeRecordBatch(
        sent.map((event) => ({ value: Buffer.from(lineOf(event)) })),
        { firstTimestamp: -1, maxTimestamp: -1 },
      ),
    );
    for (const event of sent) installed.ledger.add(event);
    await counted(installed);
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });

  test('a producer whose clock is 10 minutes off: what is behind is counted where it says, what is ahead at the time of its record, and nobody is alarmed by either', async () => {
    await using installed = await install('clock', { partitions: 1 });
    const behind = events(900, { at: Date.now() - 600_000, keys: 1, name: 'behind' });
    await installed.send(behind);
    // Told apart by their keys: the minute is that of the record, which only the broker knows.
    const ahead = events(900, { at: Date.now() + 600_000, keys: 3, name: 'ahead' });
    const before = Math.floor(Date.now() / 60_000);
    await installed.sendRaw(ahead.map((event) => lineOf(event)));
    const after = Math.floor(Date.now() / 60_000);
    const log = await counted(installed, behind.length + ahead.length);
    const minutes: number[] = [];
    let requests = 0;
    for await (const { entity, window, counters } of (await installed.store()).windows({ from: before - 1, to: before + 60 })) {
      if (entity.startsWith('network:')) continue;
      minutes.push(window.start / 60_000);
      requests += counters[0] ?? 0;
    }
    expect(requests).toBe(ahead.length);
    expect(minutes.every((minute) => minute >= before && minute <= after)).toBe(true);
    const [head] = await installed.heads();
    expect(head).toMatchObject({ skewed: ahead.length });
    expect(log).not.toContain('request_rate');
    const lost = await installed.difference();
    expect(lost).toMatchObject({ lost: 0, doubled: ahead.length });
  });

  test('poison lands in the dead letters, and is counted once when it is put back after a fix', async () => {
    await using installed = await install('poison');
    const good = events(200);
    await installed.send(good);
    const poison = events(20, { name: 'poisoned' });
    await installed.sendRaw(poison.map((event) => lineOf(event).replace('"ts":', '"when":')));
    await installed.sendRaw(['{"ts":17', '\u0000\u0001\u0002']);
    await counted(installed, good.length + poison.length + 2);
    expect(await installed.difference()).toEqual(same(installed.ledger));
    const listed = await installed.cli(['dlq', 'list', '--json']);
    const letters = listed.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { reason: string });
    expect(letters).toHaveLength(poison.length + 2);
    expect(letters.filter(({ reason }) => reason === 'no_time')).toHaveLength(poison.length);
    expect(await installed.cli(['dlq', 'replay', '--all', '--reason', 'no_time', '--dry-run'])).toMatchObject({
      code: 0,
      stdout: '20 records would be put back\n',
    });

    const mended = installed.configure('mended.yml', { reading: { map: { time: 'when' } } });
    await emptied(installed);
    expect(await installed.cli(['generation', 'new'], mended)).toMatchObject({ code: 0 });
    expect(await installed.cli(['dlq', 'replay', '--all', '--reason', 'no_time'], mended)).toMatchObject({ code: 0 });
    // A second replay finds them marked.
    expect(await installed.cli(['dlq', 'replay', '--all', '--reason', 'no_time'], mended)).toMatchObject({
      code: 0,
      stdout: '0 records put back at the end of the topic\n',
    });
    for (const event of poison) installed.ledger.add(event);
    await using run = installed.run(mended);
    await installed.stored(good.length + 2 * poison.length + 2);
    expect(await run.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });

  test('a topic that begins with poison is read all the same', async () => {
    await using installed = await install('begins', { partitions: 1, config: {} });
    await installed.sendRaw(['\u0000\u0001\u0002']);
    await using run = installed.run();
    await heard(run, 'watching');
    await installed.send(events(100));
    await installed.stored(101);
    expect(await run.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });

  test('an aborted transaction is not counted, a committed one is', async () => {
    await using installed = await install('aborted', { partitions: 1 });
    const producer = installed.client.kafka.producer({ transactionalId: installed.name, maxInFlightRequests: 1, idempotent: true });
    await producer.connect();
    for (const isKept of [false, true, false]) {
      const part = events(150, { name: isKept ? 'kept' : 'aborted' });
      const transaction = await producer.transaction();
      await transaction.send({ topic: installed.topic, messages: part.map((event) => ({ value: lineOf(event) })) });
      await (isKept ? transaction.commit() : transaction.abort());
      if (isKept) for (const event of part) installed.ledger.add(event);
    }
    await producer.disconnect();
    await installed.send(events(50));
    await counted(installed);
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });

  test('a bomb halts its partition with a line that says what to do, and no other; skipped, the rest behind it is counted', async () => {
    await using installed = await install('bomb');
    const { kafka: brokers } = await services();
    await installed.send(events(60), { partition: 0 });
    await produceRaw(brokers, installed.topic, encodeRecordBatch([{ value: Buffer.alloc(70 * 2 ** 20) }], { compression: 1 }));
    await using run = installed.run();
    await heard(run, /topic kwe-bomb-\w+\/0: halted: the record batch at offset 60 cannot be read: .*Set onCorrupt: skip/);
    await installed.send(events(90), { partition: 1 });
    await installed.stored();
    expect(await run.stop('SIGTERM')).toMatchObject({ code: 0 });
    await installed.send(events(40), { partition: 0 });
    await using skipping = installed.run(installed.configure('skip.yml', { kafka: { onCorrupt: 'skip' } }));
    await installed.stored();
    expect(await skipping.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });
});
