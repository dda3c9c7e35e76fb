import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Elasticsearch } from '../../../storage/elasticsearch/client.ts';
import { openJournal } from '../../../storage/elasticsearch/journal.ts';
import { openMetricStore } from '../../../storage/elasticsearch/metric-store.ts';
import { applySetup, checkDrift, planSetup, type SetupOptions } from '../../../storage/elasticsearch/setup.ts';
import { windowStore } from '../../../storage/elasticsearch/windows.ts';
import { DAY_MS } from '../../../core/window.ts';
import { bodyOf } from '../../conformance/journal.ts';
import { windowOfKey } from '../../conformance/windows.ts';
import { Prefixes, connect, isMissing } from './judge-cluster.ts';

const prefixes = new Prefixes();

describe.skipIf(isMissing)('setup of a real elasticsearch', () => {
  let elasticsearch: Elasticsearch;

  beforeAll(async () => {
    elasticsearch = await connect();
  });
  afterAll(async () => {
    await prefixes.remove(elasticsearch);
    await elasticsearch[Symbol.asyncDispose]();
  });

  function optionsOf(over: Partial<SetupOptions> = {}): SetupOptions {
    return { prefix: prefixes.next(), shards: 1, replicas: 0, retention: { windowsMs: 35 * DAY_MS, findingsMs: 430 * DAY_MS }, ilm: true, ...over };
  }

  async function stateOf(prefix: string): Promise<readonly string[]> {
    const { client } = elasticsearch;
    const indices = Object.keys(await client.indices.get({ index: `${prefix}-*` }));
    const templates = await client.indices.getIndexTemplate({ name: `${prefix}-*` }, { ignore: [404] });
    return [...indices, ...(templates.index_templates ?? []).map((template) => `template ${template.name}`)].sort();
  }

  test('a plan changes nothing and says what is missing and what the server lacks', async () => {
    const options = optionsOf();
    const plan = await planSetup(elasticsearch, options);
    expect(await stateOf(options.prefix)).toEqual([]);
    expect(plan.steps.every((step) => !step.isDone && !step.isChanged && step.drift.length === 0)).toBe(true);
    expect(plan.steps.map((step) => step.what)).toContain(`index template ${options.prefix}-window`);
    expect(plan.deletion).toBe('keywatch');
    expect(plan.lacks).toEqual([
      'index lifecycle management: this server has none; keywatch deletes old windows and findings itself, by name',
      expect.stringContaining('field type histogram: this server has none') as string,
    ]);
    expect((await planSetup(elasticsearch, { ...options, ilm: false })).lacks).toHaveLength(1);
  });

  test('applied once everything is there, and applying it again finds nothing to do', async () => {
    const options = optionsOf();
    const did = await applySetup(await planSetup(elasticsearch, options));
    expect(did).toHaveLength((await planSetup(elasticsearch, options)).steps.length);
    const state = await stateOf(options.prefix);
    const { prefix } = options;
    expect(state).toEqual(
      expect.arrayContaining([
        `${prefix}-alert-v1`,
        `${prefix}-journal`,
        `${prefix}-lease`,
        `${prefix}-control`,
        `template ${prefix}-partial`,
        `template ${prefix}-finding`,
      ]),
    );
    expect(await applySetup(await planSetup(elasticsearch, options))).toEqual([]);
    expect(await checkDrift(elasticsearch, options)).toEqual([]);
    expect(await stateOf(prefix)).toEqual(state);
  });

  test('what was changed by hand is shown by its path, and put back', async () => {
    const options = optionsOf();
    await applySetup(await planSetup(elasticsearch, options));
    const { client } = elasticsearch;
    const name = `${options.prefix}-window`;
    const template = (await client.indices.getIndexTemplate({ name })).index_templates[0]?.index_template;
    // As somebody would with curl: a codec less, a limit more, another number of replicas and another type.
    const settings = { ...template?.template?.settings?.index, codec: undefined };
    const properties = { ...template?.template?.mappings?.properties, requests: { type: 'integer' } };
    await client.transport.request({
      method: 'PUT',
      path: `/_index_template/${name}`,
      body: {
        index_patterns: [`${name}-*`],
        priority: 300,
        allow_auto_create: true,
        _meta: template?._meta,
        template: {
          settings: { index: { ...settings, number_of_replicas: '2', mapping: { total_fields: { limit: '50' } } } },
          mappings: { dynamic: false, properties },
          aliases: { [name]: {} },
        },
      },
    });
    expect(await checkDrift(elasticsearch, options)).toEqual([
      {
        what: `index template ${name}`,
        isChanged: true,
        drift: [
          { path: 'template.mappings.properties.requests.type', wanted: 'long', installed: 'integer' },
          { path: 'template.settings.index.codec', wanted: 'best_compression', installed: undefined },
          { path: 'template.settings.index.mapping.total_fields.limit', wanted: undefined, installed: '50' },
          { path: 'template.settings.index.number_of_replicas', wanted: '0', installed: '2' },
        ],
      },
    ]);
    expect(await applySetup(await planSetup(elasticsearch, options))).toEqual([`index template ${name}`]);
    expect(await checkDrift(elasticsearch, options)).toEqual([]);
  });

  test('other shards and replicas in the configuration are a difference, too', async () => {
    const options = optionsOf();
    await applySetup(await planSetup(elasticsearch, options));
    const drift = await checkDrift(elasticsearch, { ...options, shards: 3 });
    expect(drift.find((step) => step.what === `index template ${options.prefix}-window`)?.drift).toEqual([
      { path: 'template.settings.index.number_of_shards', wanted: '3', installed: '1' },
    ]);
    expect(drift.every((step) => step.isChanged)).toBe(true);
  });

  test('fields that an older version did not know are added to an index that is there', async () => {
    const options = optionsOf();
    const { client } = elasticsearch;
    const index = `${options.prefix}-alert-v1`;
    await client.indices.create({ index, mappings: { dynamic: false, properties: { id: { type: 'keyword' } } } });
    const step = (await planSetup(elasticsearch, options)).steps.find((candidate) => candidate.what === `index ${index}`);
    expect(step).toMatchObject({ isDone: false, isChanged: true });
    expect(step?.drift).toContainEqual({ path: 'mappings.severity', wanted: 'keyword', installed: undefined });
    await step?.apply();
    expect((await client.indices.getMapping({ index }))[index]?.mappings.properties).toMatchObject({ severity: { type: 'keyword' } });
  });

  test('without setup every store makes what it needs, and setup finds it right', async () => {
    const options = optionsOf({ ilm: false, replicas: 1 });
    const { prefix } = options;
    await using store = await openMetricStore({ prefix }, { elasticsearch });
    await store.setControl('pepper', 'check');
    await using journal = await openJournal({ elasticsearch, prefix });
    await journal.append(1, bodyOf());
    await windowStore({ elasticsearch, prefix }).putWindows([windowOfKey({ requests: 1 })], 1);
    const plan = await planSetup(elasticsearch, options);
    expect(plan.steps.filter((step) => step.isChanged)).toEqual([]);
    await applySetup(plan);
    expect(await checkDrift(elasticsearch, options)).toEqual([]);
    expect((await journal.head()).seq).toBe(1);
  });
});
