import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import { DAY_MS } from '../../../core/window.ts';
import { readCapabilities } from '../../../storage/elasticsearch/capabilities.ts';
import { type Elasticsearch, openElasticsearch } from '../../../storage/elasticsearch/client.ts';
import { applySetup, checkDrift, planSetup, type SetupOptions } from '../../../storage/elasticsearch/setup.ts';
import { type FakeIlmServer, startFakeIlmServer } from './fake-ilm-server.ts';

const OPTIONS: SetupOptions = { prefix: 'kw', shards: 1, replicas: 1, retention: { windowsMs: 35 * DAY_MS, findingsMs: 430 * DAY_MS }, ilm: true };

describe('setup of a server with index lifecycle management (a fake)', () => {
  let fake: FakeIlmServer;
  let elasticsearch: Elasticsearch;

  beforeEach(async () => {
    fake = await startFakeIlmServer();
    elasticsearch = await openElasticsearch({ nodes: [fake.node] }, { clock: systemClock, random: () => 0 });
  });
  afterEach(async () => {
    await elasticsearch[Symbol.asyncDispose]();
    await fake[Symbol.asyncDispose]();
  });

  test('what the server can do is asked from it', async () => {
    expect(await readCapabilities(elasticsearch)).toEqual({ versions: ['8.19.0'], ilm: 'yes', histogram: 'yes' });
    fake.forbidden.add('/_ilm').add('/_index_template/_simulate');
    // The names of the modules tell, where asking is not allowed.
    expect(await readCapabilities(elasticsearch)).toEqual({ versions: ['8.19.0'], ilm: 'yes', histogram: 'yes' });
  });

  test('policies come before the templates that name them, and delete no earlier than retention', async () => {
    const plan = await planSetup(elasticsearch, OPTIONS);
    expect(fake.changes).toEqual([]);
    expect(plan).toMatchObject({ deletion: 'ilm', lacks: [] });
    await applySetup(plan);
    expect(fake.changes.slice(0, 2)).toEqual(['PUT /_ilm/policy/kw-window', 'PUT /_ilm/policy/kw-finding']);
    // An index of a day is 35 days old when its last minute is 34 days old.
    expect(fake.policies.get('kw-window')).toMatchObject({ phases: { delete: { min_age: '36d' } } });
    expect(fake.policies.get('kw-finding')).toMatchObject({ phases: { delete: { min_age: '461d' } } });
    expect(fake.templates.get('kw-window')).toMatchObject({
      template: {
        settings: { 'index.lifecycle.name': 'kw-window', 'index.lifecycle.parse_origination_date': 'true' },
        mappings: { properties: { latency: { type: 'histogram' } } },
      },
    });
    expect(JSON.stringify(fake.templates.get('kw-partial'))).not.toContain('lifecycle');
    // Neither makes an index read-only: a catch-up after an outage writes to old days.
    expect(JSON.stringify([...fake.policies.values()])).not.toMatch(/readonly|forcemerge/);
  });

  test('applied twice it changes nothing the second time; a policy that was changed is shown by its path', async () => {
    await applySetup(await planSetup(elasticsearch, OPTIONS));
    expect(await checkDrift(elasticsearch, OPTIONS)).toEqual([]);
    fake.policies.set('kw-window', JSON.parse(JSON.stringify(fake.policies.get('kw-window')).replace('36d', '3d')));
    expect(await checkDrift(elasticsearch, OPTIONS)).toEqual([
      { what: 'lifecycle policy kw-window', isChanged: true, drift: [{ path: 'phases.delete.min_age', wanted: '36d', installed: '3d' }] },
    ]);
    fake.changes.length = 0;
    await applySetup(await planSetup(elasticsearch, OPTIONS));
    expect(fake.changes).toEqual(['PUT /_ilm/policy/kw-window']);
  });

  test('windows from before follow the policy from the date in their name, other indices never', async () => {
    fake.indices.set('kw-window-2026.11.23', { settings: {}, mappings: {} });
    fake.indices.set('kw-window-notes', { settings: {}, mappings: {} });
    await applySetup(await planSetup(elasticsearch, OPTIONS));
    expect(fake.indices.get('kw-window-2026.11.23')?.settings).toEqual({
      'index.lifecycle.name': 'kw-window',
      'index.lifecycle.origination_date': Date.UTC(2026, 10, 23),
    });
    expect(fake.indices.get('kw-window-notes')?.settings).toEqual({});
    expect(await checkDrift(elasticsearch, OPTIONS)).toEqual([]);
  });

  test('when keywatch is to delete again, no policy of ours does any more', async () => {
    fake.indices.set('kw-window-2026.11.23', { settings: {}, mappings: {} });
    fake.indices.set('kw-window-2026.11.22', { settings: { 'index.lifecycle.name': 'theirs' }, mappings: {} });
    await applySetup(await planSetup(elasticsearch, OPTIONS));
    const options = { ...OPTIONS, ilm: false };
    Object.assign(fake.indices.get('kw-window-2026.11.22')?.settings ?? {}, { 'index.lifecycle.name': 'theirs' });
    const plan = await planSetup(elasticsearch, options);
    expect(plan.deletion).toBe('keywatch');
    await applySetup(plan);
    expect(fake.policies.size).toBe(0);
    expect(fake.indices.get('kw-window-2026.11.23')?.settings).toEqual({});
    expect(fake.indices.get('kw-window-2026.11.22')?.settings).toMatchObject({ 'index.lifecycle.name': 'theirs' });
    expect(JSON.stringify(fake.templates.get('kw-window'))).not.toContain('lifecycle');
    expect(await checkDrift(elasticsearch, options)).toEqual([]);
  });
});
