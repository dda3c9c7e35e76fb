import { describe, expect, test } from 'vitest';
import { readCapabilities } from '../../../storage/elasticsearch/capabilities.ts';
import { connect, isMissing } from './judge-cluster.ts';

describe.skipIf(isMissing)('what a real elasticsearch can do', () => {
  test('is asked from it: the small one of the tests has neither lifecycles nor histograms', async () => {
    await using elasticsearch = await connect();
    expect(await readCapabilities(elasticsearch)).toEqual({ versions: [elasticsearch.version], ilm: 'no', histogram: 'no' });
  });
});
