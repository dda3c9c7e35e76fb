import { expect, test } from 'vitest';
import { safeLinks } from '../../../alerts/notify/facts.ts';
import type { Alert, Link } from '../../../core/alert.ts';
import type { Incident } from '../../../core/incident.ts';
import { entityId } from '../../../core/types.ts';
import { linksOf } from '../../../app/pipeline/links.ts';
import { loadConfig } from '../../../app/config/load.ts';
import { alertOf, incidentOf } from '../../alerts/support/build.ts';

const ELASTICSEARCH = ['store.elasticsearch={nodes: [https://es.example.com:9200], prefix: kw-eu}', 'pepper={env: P}'];
const KIBANA = [...ELASTICSEARCH, 'alerts.links.kibana=https://kibana.example.com/s/ops/'];

const key = entityId('key', 'kf1_9f3c12ab00000000000000000000000a');
const started = Date.parse('2026-03-04T10:00:00Z');
const alert: Alert = { ...alertOf(), entity: key, rule: 'error_rate', startedAt: started, lastBreachAt: started + 600_000 };
const incident: Incident = incidentOf(alert, { lineage: key, startedAt: started, changedAt: started + 120_000 });

function links(sets: readonly string[], about: Incident = incident, cause: Alert | undefined = alert): readonly Link[] {
  const { config } = loadConfig({ env: { HOME: '/home/kw', P: Buffer.alloc(32, 7).toString('base64') }, cwd: '/', sets });
  return linksOf(config)(about, cause);
}

/** What Kibana reads out of the address. */
function discover(sets: readonly string[], about?: Incident, cause?: Alert): { readonly url: URL; readonly parameters: unknown } {
  const [link] = links(sets, about, cause);
  const url = new URL(link?.url ?? '');
  return { url, parameters: JSON.parse(url.searchParams.get('p') ?? '') };
}

test('a message links to nothing that the configuration does not name', () => {
  expect(links([])).toEqual([]);
  expect(links(['publicUrl=https://keywatch.example.com'])).toEqual([]);
  expect(links(['api.listen=127.0.0.1:9422'])).toEqual([]);
  expect(links(ELASTICSEARCH)).toEqual([]);
});

test('Kibana shows the minutes of the key, at times that mean the same tomorrow', () => {
  const { url, parameters } = discover(KIBANA);
  expect(`${url.origin}${url.pathname}`).toBe('https://kibana.example.com/s/ops/app/r');
  expect([url.searchParams.get('l'), url.searchParams.get('v')]).toEqual(['DISCOVER_APP_LOCATOR', '8.5.0']);
  expect(parameters).toEqual({
    dataViewSpec: { title: 'kw-eu-window-*', timeFieldName: '@timestamp' },
    // An hour before the start; a quarter of an hour after the newest breach.
    timeRange: { from: '2026-03-04T09:00:00.000Z', to: '2026-03-04T10:25:00.000Z' },
    query: { language: 'kuery', query: 'key : "key:kf1_9f3c12ab00000000000000000000000a"' },
  });
});

test('of what is over the times end with it', () => {
  const { parameters } = discover(KIBANA, { ...incident, state: 'resolved', resolvedAt: started + 1_800_000 });
  expect(parameters).toMatchObject({ timeRange: { to: '2026-03-04T10:45:00.000Z' } });
});

test('a key that another one succeeded is found under both ids', () => {
  const { parameters } = discover(KIBANA, incident, { ...alert, entity: entityId('key', 'old') });
  expect(parameters).toMatchObject({ query: { query: 'key : ("key:kf1_9f3c12ab00000000000000000000000a" or "key:old")' } });
});

test('of many keys at once it shows the findings of their rule', () => {
  const { parameters } = discover(KIBANA, { ...incident, kind: 'fleet', rule: 'error_rate', label: '1,204 keys' });
  expect(parameters).toMatchObject({ dataViewSpec: { title: 'kw-eu-finding-*' }, query: { query: 'rule : "error_rate"' } });
});

test('a name from traffic stays one value of the query and one address in the message', () => {
  const hostile = entityId('client', `10.0.0.1 x" or key : * or "\\ <!channel> ')(!|\`\n\uD800`);
  const { parameters } = discover(KIBANA, { ...incident, lineage: hostile }, { ...alert, entity: hostile });
  const { query } = (parameters as { readonly query: { readonly query: string } }).query;
  // KQL: everything up to the first quote without a backslash is the value.
  expect(/^key : "(?:[^"\\]|\\.)*"$/s.test(query)).toBe(true);
  const made = links([...KIBANA, 'alerts.links.runbook=https://wiki.example.com/a'], { ...incident, lineage: hostile });
  expect(safeLinks(made)).toEqual(made);
  expect(made[0]?.url).not.toMatch(/[<>"'`|\\\s()!]/);
});

test('the runbook is one for all, or that of the rule', () => {
  expect(links(['alerts.links.runbook=https://wiki.example.com/keys'])).toEqual([{ name: 'Runbook', url: 'https://wiki.example.com/keys' }]);
  const perRule = ['alerts.links.runbook={error_rate: https://wiki.example.com/errors}'];
  expect(links(perRule)).toEqual([{ name: 'Runbook', url: 'https://wiki.example.com/errors' }]);
  expect(links(perRule, incident, { ...alert, rule: 'request_rate' })).toEqual([]);
  expect(links(perRule, incident, { ...alert, rule: 'toString' })).toEqual([]);
});

test('the dossier is linked where the API serves it', () => {
  expect(links(['publicUrl=https://keywatch.example.com/kw/', 'api.listen=127.0.0.1:9422'])).toEqual([
    { name: 'Dossier', url: `https://keywatch.example.com/kw/v1/incidents/${incident.id}/dossier?format=markdown` },
  ]);
});
