import { Command, Option } from 'commander';
import type { Labels } from '../../alerts/matchers.ts';
import { suppressionText } from '../../alerts/why.ts';
import { OWNER, type RouteDecision, routerOf } from '../../alerts/route.ts';
import { type EpochMs, SEVERITIES, type Severity, entityKind, severityRank } from '../../core/types.ts';
import { Directory } from '../../keys/directory.ts';
import { configuredBy } from '../cli/configured.ts';
import { usageError } from '../cli/errors.ts';
import { type Io, widthOf, write } from '../cli/io.ts';
import { type ConfigOptions, collect, parseTimeOption, resolveTime, type TimeOption, withConfigOptions, withExamples, withJsonOption } from '../cli/options.ts';
import { painter } from '../cli/style.ts';
import { didYouMean } from '../cli/suggest.ts';
import { renderTable } from '../cli/table.ts';
import { printable } from '../cli/text.ts';
import type { Config } from '../config/config.ts';
import { looksLikeSecret } from '../config/looks-secret.ts';
import { isoTime } from '../json/time.ts';

type Options = ConfigOptions & { readonly label?: readonly string[]; readonly at?: TimeOption; readonly json?: boolean };

/** What inventories and alerts say of a key. Any other label is a slip of the pen. */
const KNOWN = ['key', 'entity', 'kind', 'rule', 'severity', 'owner', 'contact', 'team', 'environment', 'plan', 'tier'];

export function command(io: Io): Command {
  const routes = new Command('routes').description('Ask where alerts go.');
  const examples: readonly (readonly [string, string])[] = [
    ['keywatch routes test --label key=billing-service --label severity=critical', 'a critical alert of this key, with what the inventory says of it'],
    ['keywatch routes test --label severity=high --label team=payments', 'whatever the key is'],
    ['keywatch routes test --label severity=medium --at 2026-11-28T02:00:00Z', 'in the quiet hours of a Saturday night?'],
    ['keywatch routes test --label severity=high --json', 'for a script'],
  ];
  withExamples(
    withJsonOption(withConfigOptions(routes.command('test')))
      .description('Print who would be told of an alert with these labels, and which clause of which route decides. Sends nothing.')
      .option('--label <name=value>', `a label of the alert, repeatable: ${KNOWN.join(', ')}`, collect)
      .addOption(new Option('--at <time>', 'as if it were then, for quiet hours: a time, or how long ago (default: now)').argParser(parseTimeOption))
      .action((options: Options) => test(io, options)),
    examples,
  );
  return withExamples(routes, examples.slice(0, 1));
}

/** Not by commander, which would repeat a wrong value in its message: it may be a secret. */
function labelsIn(texts: readonly string[]): Labels {
  const labels: Record<string, string> = {};
  for (const text of texts) {
    if (looksLikeSecret(text.slice(text.indexOf('=') + 1))) throw usageError('a --label looks like a secret; name the key by its label, id or fingerprint');
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_.-]*)=(.*)$/s.exec(text) ?? [];
    if (name === undefined || value === undefined) throw usageError('--label: expected a label such as severity=critical');
    if (!KNOWN.includes(name)) throw usageError(`--label: there is no label '${printable(name)}'${didYouMean(name, KNOWN)}; there are ${KNOWN.join(', ')}`);
    if (name === 'severity' && !SEVERITIES.some((severity) => severity === value)) throw usageError(`--label: severity is one of ${SEVERITIES.join(', ')}`);
    labels[name] = value;
  }
  return labels;
}

async function test(io: Io, options: Options): Promise<void> {
  const { config } = configuredBy(options, io, { secrets: 'none' });
  const given = labelsIn(options.label ?? []);
  if (Object.keys(given).length === 0) throw usageError('give at least one label, for instance --label severity=critical');
  const at = options.at === undefined ? io.clock.now() : resolveTime(options.at, io.clock.now());
  const labels: Labels = { severity: 'critical', ...inventoryLabels(config, given), ...given };
  const decision = decide(config, labels, at);
  if (options.json === true) {
    const { channels, why, until, steps } = decision;
    await write(io.stdout, `${JSON.stringify({ at: isoTime(at), labels, channels, why, until: isoTime(until), routes: steps })}\n`);
    return;
  }
  const shown = Object.entries(labels)
    .map(([name, value]) => `${name}=${printable(value)}`)
    .join(' ');
  const table = renderTable<RouteDecision['steps'][number]>(
    [
      { title: config.alerts.routes === undefined ? 'channel' : 'route', value: (step) => printable(step.route) },
      { title: 'fits', value: (step) => (step.fits ? 'yes' : 'no'), style: (step) => (step.fits ? 'green' : 'dim') },
      { title: 'tells', value: (step) => step.to.map(printable).join(', ') || '-' },
      { title: 'because', value: (step) => printable(step.clause) },
    ],
    decision.steps,
    { width: widthOf(io), paint: painter(io.stdout) },
  );
  const contact = labels['contact'];
  const names = decision.channels.map((name) => (name === OWNER && contact !== undefined ? `owner (${printable(contact)})` : printable(name)));
  await write(
    io.stdout,
    `an alert with ${shown}, at ${isoTime(at) ?? ''}\n\n${table}\n${
      names.length > 0
        ? `told: ${names.join(', ')}\n`
        : `nobody is told: ${suppressionText({ reason: 'not_routed', detail: decision.why, ...(decision.until === undefined ? {} : { until: decision.until }) })}; the daily digest has it\n`
    }`,
  );
}

/** What the inventory says of the key that `key` or `entity` names. */
function inventoryLabels(config: Config, given: Labels): Labels {
  const name = given['key'] ?? given['entity'];
  if (name === undefined) return {};
  const directory = new Directory(config.directory);
  const [entity] = directory.find(name);
  if (entity === undefined) return {};
  return { ...directory.labels(entity), key: directory.label(entity), entity, kind: entityKind(entity) };
}

/** By the routes; without any, by the `minSeverity` of each channel. */
function decide(config: Config, labels: Labels, at: EpochMs): RouteDecision {
  const { routes, channels } = config.alerts;
  if (routes !== undefined) return routerOf(routes)(labels, at);
  const severity: Severity = SEVERITIES.find((known) => known === labels['severity']) ?? 'critical';
  const steps = channels.map(({ name, minSeverity }) => {
    const fits = severityRank(severity) >= severityRank(minSeverity);
    return {
      route: name,
      fits,
      to: fits ? [name] : [],
      clause: fits ? `it is told from ${minSeverity} on` : `less severe than its minSeverity, ${minSeverity}`,
    };
  });
  const why = channels.length === 0 ? 'no channel is configured' : 'it is less severe than every channel wants';
  return { channels: steps.flatMap(({ to }) => to), why, steps };
}
