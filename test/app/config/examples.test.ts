import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { schemaText } from '../../../app/commands/config.ts';
import { type LoadedConfig, loadConfig } from '../../../app/config/load.ts';
import { namesOf, rootShape } from '../../../app/config/shape.ts';

const root = join(import.meta.dirname, '../../..');
const folder = join(root, 'docs/examples');
const examples = readdirSync(folder).filter((name) => name.endsWith('.yml'));
const env = {
  HOME: '/h',
  SLACK_WEBHOOK_URL: 'https://hooks.slack.com/services/T/B/X',
  SMTP_PASSWORD: 'p',
  KAFKA_PASSWORD: 'k',
  ES_API_KEY: 'e',
  KW_PEPPER: Buffer.alloc(32, 7).toString('base64'),
};
const load = (name: string): LoadedConfig => loadConfig({ env, file: join(folder, name), cwd: '/', secrets: name === 'container.yml' ? 'none' : 'all' });

describe('examples', () => {
  test.each(examples)('%s loads', (name) => {
    const { sources, http } = load(name).config;
    expect(sources.length + (http === undefined ? 0 : 1)).toBeGreaterThan(0);
  });

  test('show every section of the configuration', () => {
    const used = new Set(examples.flatMap((name) => Object.keys(load(name).layers.tree)));
    // keyBy, keyNames and format are shown where they are mostly used: in a source.
    expect(namesOf(rootShape()).filter((name) => !used.has(name) && !['keyBy', 'keyNames', 'format'].includes(name))).toEqual([]);
  });

  test('mean what their comments say', () => {
    expect(load('slack-and-email.yml').config.alerts).toMatchObject({
      fallback: 'on-call',
      digest: { at: '09:00', timezone: 'Europe/Berlin' },
      channels: [
        { kind: 'slack', name: 'api-alerts' },
        { kind: 'email', name: 'on-call', minSeverity: 'critical' },
      ],
    });
    expect(load('json-field-map.yml').config.sources).toMatchObject([
      { kind: 'file', map: { fields: { secret: 'hdr.x_acme_key' }, latencyUnit: 'ms' }, keyNames: ['x-acme-key', 'acme_key'] },
      { kind: 'stdin' },
    ]);
    expect(load('kafka-elasticsearch.yml').config).toMatchObject({
      sources: [{ kind: 'kafka', envelope: 'filebeat', kafka: { topics: ['access-events'], group: 'keywatch', from: 'earliest', tls: {}, onCorrupt: 'halt' } }],
      store: { elasticsearch: { prefix: 'keywatch', replicas: 1 }, retention: { bytesMax: 0 } },
      lateness: 120_000,
      ops: { listen: { host: '0.0.0.0', port: 9420 } },
      http: undefined,
    });
    expect(load('http.yml').config).toMatchObject({
      sources: [],
      http: { listen: { host: '0.0.0.0', port: 9421 }, tokens: [{ name: 'edge-gateway' }], maxRate: 5000, spool: { bytesMax: 2_147_483_648 } },
    });
  });
});

test('docs/schema/config.schema.json is current (npx keywatch config schema > docs/schema/config.schema.json)', () => {
  expect(readFileSync(join(root, 'docs/schema/config.schema.json'), 'utf8')).toBe(schemaText());
});
