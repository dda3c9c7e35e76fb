import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Elasticsearch } from '../../../storage/elasticsearch/client.ts';
import { openCommandInbox } from '../../../storage/elasticsearch/command-inbox.ts';
import { acknowledge, commandInboxConformance } from '../../conformance/command-inbox.ts';
import { Prefixes, connect, isMissing, startProxy } from './judge-cluster.ts';

const prefixes = new Prefixes();

describe.skipIf(isMissing)('the inbox in elasticsearch', () => {
  let elasticsearch: Elasticsearch;

  beforeAll(async () => {
    elasticsearch = await connect();
  });
  afterAll(async () => {
    await prefixes.remove(elasticsearch);
    await elasticsearch[Symbol.asyncDispose]();
  });

  commandInboxConformance('elasticsearch', {
    openThree: async () => {
      const prefix = prefixes.next();
      const open = (): ReturnType<typeof openCommandInbox> => openCommandInbox({ elasticsearch, prefix });
      return [await open(), await open(), await open()];
    },
  });

  test('a command whose answer was lost is submitted once', async () => {
    await using proxy = await startProxy();
    await using shaky = await connect(proxy.node);
    const prefix = prefixes.next();
    const inbox = await openCommandInbox({ elasticsearch: shaky, prefix });
    let lost = 0;
    proxy.decide((method) => (method === 'PUT' && lost++ === 0 ? 'lose' : 'pass'));
    await inbox.submit(acknowledge('a'));
    expect(lost).toBeGreaterThan(1);
    proxy.decide(() => 'pass');
    expect(await inbox.pending()).toEqual([acknowledge('a')]);
  });
});
