import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { fresh, lacks, services } from '../../services/needs.ts';
import { HttpReceiver } from '../../support/http-receiver.ts';
import { Installation, events, heard, until } from './installation.ts';
import { same } from './ledger.ts';
import { checkAlerts, expectedAlerts } from './soak-alerts.ts';

const LIMIT = 100;
const BURST_EVERY_MS = 4000;
const JOINS = 8;

describe.skipIf(lacks('kafka', 'elasticsearch')).concurrent('processes that come and go', { timeout: 240_000 }, () => {
  test('while members join and leave every second every event is counted once', async () => {
    const { kafka: brokers, elasticsearch } = await services();
    await using installed = await Installation.open({ name: fresh('kwe-storm'), brokers, elasticsearch, partitions: 4 });
    await using first = installed.run();
    await using second = installed.run();
    await heard(first, 'watching');
    await heard(second, 'watching');
    for (let join = 0; join < JOINS; join++) {
      // Takes partitions and counts nothing: what it held must be counted by the others.
      const member = installed.client.kafka.consumer({ groupId: installed.group, sessionTimeout: 6000 });
      await member.connect();
      await member.subscribe({ topic: installed.topic });
      await member.run({ autoCommit: false, eachMessage: () => Promise.resolve() });
      await installed.send(events(200, { name: `storm-${join % 3}` }));
      await delay(1000);
      await member.disconnect();
    }
    await installed.stored();
    expect(await first.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(await second.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });

  test('after kill -9 of the judge a standby goes on: every breach before, between and after is told, none twice', async () => {
    const { kafka: brokers, elasticsearch } = await services();
    await using slack = await new HttpReceiver().listen();
    const off = { enabled: false };
    const rules = { request_rate: { warning: 'off', critical: LIMIT }, failed_auth: off, guessing: off, error_rate: off, data_transfer: off };
    await using installed = await Installation.open({
      name: fresh('kwe-standby'),
      brokers,
      elasticsearch,
      slack: slack.origin,
      config: { rules, lateness: '5s' },
    });
    await using judge = installed.run();
    await heard(judge, 'this process judges now');
    await using standby = installed.run();
    await heard(standby, 'watching');
    let bursts = 0;
    const burst = (): Promise<void> => installed.send(events(LIMIT + 20, { keys: 1, name: `burst-${bursts++}` }).map((event) => ({ ...event, status: 200 })));
    // Near the end of a minute a burst could be cut in two.
    const whole = async (): Promise<void> => {
      await until(() => Date.now() % 60_000 > 100, 'the minute to have begun');
      await burst();
    };
    await whole();
    await heard(judge, 'told slack: fired');
    const killed = performance.now();
    await judge.stop('SIGKILL');
    while (!standby.stderr().includes('this process judges now')) {
      await whole();
      await Promise.race([heard(standby, 'this process judges now'), delay(BURST_EVERY_MS)]);
    }
    const seconds = Math.round((performance.now() - killed) / 100) / 10;
    process.stdout.write(`a standby judged ${seconds} s after kill -9 of the judge\n`);
    await whole();
    await installed.stored();
    const look = async (): ReturnType<typeof checkAlerts> =>
      checkAlerts(await installed.elasticsearch(), installed.name, expectedAlerts(installed.ledger, new Map(), { requests: LIMIT, failures: 0 }), slack.posts);
    await until(
      async () => {
        const { missing, untold } = await look();
        return missing === 0 && untold === 0;
      },
      'every breach to be told',
      120_000,
    );
    expect(await standby.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(await look()).toMatchObject({ expected: bursts, fired: bursts, extra: 0, faults: [] });
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });
});
