import type { Alert, Link } from '../../core/alert.ts';
import type { Incident } from '../../core/incident.ts';
import type { EntityId } from '../../core/types.ts';
import type { Config } from '../config/config.ts';

const BEFORE_MS = 3_600_000;
const AFTER_MS = 900_000;
/** The first Kibana that opens Discover on indices nobody saved a data view of; later ones take what it took. */
const KIBANA_VERSION = '8.5.0';

export type LinkSettings = Pick<Config, 'alerts' | 'api' | 'publicUrl' | 'store'>;

/** Where a reader goes from a message about an incident: only to what this configuration says exists. */
export function linksOf({ alerts: { links }, api, publicUrl, store }: LinkSettings): (incident: Incident, alert: Alert | undefined) => readonly Link[] {
  return (incident, alert) => {
    const { kibana } = links;
    const runbook = runbookOf(links.runbook, alert?.rule ?? incident.rule);
    return [
      ...(kibana === undefined || store.elasticsearch === undefined
        ? []
        : [{ name: 'Kibana', url: discoverUrl(kibana, store.elasticsearch.prefix, incident, alert) }]),
      ...(runbook === undefined ? [] : [{ name: 'Runbook', url: runbook }]),
      ...(publicUrl === undefined || api === undefined
        ? []
        : [{ name: 'Dossier', url: `${publicUrl}/v1/incidents/${encodeURIComponent(incident.id)}/dossier?format=markdown` }]),
    ];
  };
}

function runbookOf(runbook: Config['alerts']['links']['runbook'], rule: string | undefined): string | undefined {
  if (runbook === undefined || typeof runbook === 'string') return runbook;
  return rule !== undefined && Object.hasOwn(runbook, rule) ? runbook[rule] : undefined;
}

/**
 * Discover on the minutes of the key; of a fleet on the findings of its rule, since a thousand keys are too many to
 * filter by. The times are absolute, because the reader may open it tomorrow.
 */
function discoverUrl(kibana: string, prefix: string, incident: Incident, alert: Alert | undefined): string {
  const index = incident.kind === 'fleet' ? 'finding' : 'window';
  const query = incident.kind === 'fleet' ? anyOf('rule', incident.rule === undefined ? [] : [incident.rule]) : anyOf('key', keysOf(incident, alert));
  const end = Math.max(incident.resolvedAt ?? incident.changedAt, alert?.lastBreachAt ?? 0);
  const parameters = {
    dataViewSpec: { title: `${prefix}-${index}-*`, timeFieldName: '@timestamp' },
    timeRange: { from: isoTime(incident.startedAt - BEFORE_MS), to: isoTime(end + AFTER_MS) },
    query: { language: 'kuery', query },
  };
  return `${kibana}/app/r?l=DISCOVER_APP_LOCATOR&v=${KIBANA_VERSION}&p=${encodeParameter(JSON.stringify(parameters))}`;
}

/** A key that another one succeeded has its minutes under its own id. */
function keysOf(incident: Incident, alert: Alert | undefined): readonly EntityId[] {
  return [...new Set([incident.lineage, ...(alert === undefined ? [] : [alert.entity])])];
}

/** KQL. Names come from traffic: within quotes only the quote and the backslash mean something. */
function anyOf(field: string, values: readonly string[]): string {
  const quoted = values.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`);
  return quoted.length > 1 ? `${field} : (${quoted.join(' or ')})` : quoted.map((value) => `${field} : ${value}`).join('');
}

/** Also the quotes and brackets that mean something to what shows the message. */
function encodeParameter(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
