import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fresh, lacks, services } from '../../services/needs.ts';
import { Installation, events } from './installation.ts';
import { same } from './ledger.ts';

describe.skipIf(lacks('kafka', 'elasticsearch'))('a process that would count otherwise than the others', () => {
  let installed: Installation;
  beforeAll(async () => {
    const { kafka: brokers, elasticsearch } = await services();
    installed = await Installation.open({ name: fresh('kwe-refuse'), brokers, elasticsearch });
    await installed.send(events(200));
    await using run = installed.run();
    await installed.stored();
    expect(await run.stop('SIGTERM')).toMatchObject({ code: 0 });
  });
  afterAll(() => installed[Symbol.asyncDispose]());

  test.each([
    ['another pepper', { members: { pepper: { file: 'other' } } }, /pepper/],
    [
      'a second group',
      { kafka: { group: 'second' } },
      /filled by the consumer group kwe-refuse-\w+, this configuration says second: every record would be counted twice/,
    ],
    ['other names of keys', { members: { keyNames: ['x-other'] } }, /the store was written with another keyNames/],
    ['another bound of entities', { members: { limits: { entities: 500 } } }, /the store was written with another limits\.entities/],
  ])('%s is refused by name, and nothing of it is counted', async (name, other, why) => {
    installed.folder.write('other', `${Buffer.alloc(32, 9).toString('base64')}\n`);
    const config = installed.configure(`${name}.yml`, other);
    const ran = await installed.cli(['run'], config);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toMatch(why);
    expect(ran.stderr).not.toContain(Buffer.alloc(32, 9).toString('base64'));
    expect(await installed.difference()).toEqual(same(installed.ledger));
  });

  test('that has no pepper of its own is refused: one that it made up would be another one', async () => {
    const config = installed.configure('none.yml', { members: { pepper: undefined } });
    const ran = await installed.cli(['run'], config);
    expect(ran).toMatchObject({ code: 2 });
    expect(ran.stderr).toMatch(/pepper/);
  });
});
