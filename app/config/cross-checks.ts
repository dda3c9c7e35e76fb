import { matchersText } from '../../alerts/matchers.ts';
import { CHANNEL_KINDS } from '../../alerts/notify/registry.ts';
import { OWNER, type Route, thresholdOf } from '../../alerts/route.ts';
import { routeGaps } from '../../alerts/route-gaps.ts';
import { SEVERITIES } from '../../core/types.ts';
import { RULES } from '../../detectors/registry.ts';
import { didYouMean } from '../cli/suggest.ts';
import type { Path } from './diagnostic.ts';
import { isRecord } from './layers.ts';
import { looksLikeSecret } from './looks-secret.ts';
import { disorder } from './schema/rules.ts';
import type { ParsedConfig } from './schema/schema.ts';

export type Fault = { readonly path: Path; readonly message: string };

/**
 * What one place says about another. Reads the raw tree and passes over what has the wrong shape, so that
 * these faults are reported together with those of the schema.
 */
export function referenceFaults(tree: unknown): Fault[] {
  return [
    ...planFaults(tree),
    ...duplicateKeyFaults(tree),
    ...successorFaults(tree),
    ...channelFaults(tree),
    ...linkFaults(tree),
    ...stdinFaults(tree),
    ...pepperFaults(tree),
    ...kafkaFaults(tree),
  ];
}

/** The same of a list of keys that stands in a file of its own; paths begin with the number of the key. */
export function keyFaults(entries: unknown, plans: readonly string[]): Fault[] {
  const tree = { keys: entries, plans: Object.fromEntries(plans.map((name) => [name, {}])) };
  return [...planFaults(tree), ...duplicateKeyFaults(tree), ...successorFaults(tree)].map(({ path, message }) => ({ path: path.slice(1), message }));
}

/** Many processes share it, and a lost one cannot be made again: it never comes about by itself there. */
function pepperFaults(tree: unknown): Fault[] {
  if (section(tree, 'pepper') !== undefined) return [];
  const isShared = list(tree, 'sources').some(({ entry }) => entry['kafka'] !== undefined);
  const path = section(tree, 'store', 'elasticsearch') === undefined ? (isShared ? ['sources'] : undefined) : ['store', 'elasticsearch'];
  if (path === undefined) return [];
  return [
    {
      path,
      message: `with ${path[0] === 'store' ? 'Elasticsearch' : 'Kafka'} every process needs the same pepper: make one with openssl rand -base64 32, back it up, and name it by pepper: {file: …} or {env: …}`,
    },
  ];
}

/** One group commits for one set of topics; the judge's bus is on one cluster. */
function kafkaFaults(tree: unknown): Fault[] {
  const sources = list(tree, 'sources').filter(({ entry }) => entry['kafka'] !== undefined);
  return sources.slice(1).map(({ index }) => ({
    path: ['sources', index, 'kafka'],
    message: 'there is one Kafka source already; name all topics there, or a pattern, since the processes of an installation talk over one cluster',
  }));
}

function section(tree: unknown, ...names: readonly string[]): unknown {
  let at = tree;
  for (const name of names) at = isRecord(at) && Object.hasOwn(at, name) ? at[name] : undefined;
  return at;
}

function list(tree: unknown, ...names: readonly string[]): readonly { readonly index: number; readonly entry: Readonly<Record<string, unknown>> }[] {
  const found = section(tree, ...names);
  return Array.isArray(found) ? found.flatMap((entry: unknown, index) => (isRecord(entry) ? [{ index, entry }] : [])) : [];
}

function shown(name: string): string {
  return looksLikeSecret(name) ? 'this' : `'${name}'`;
}

function planFaults(tree: unknown): Fault[] {
  const plans = section(tree, 'plans');
  const names = isRecord(plans) ? Object.keys(plans) : [];
  return list(tree, 'keys').flatMap(({ index, entry }) => {
    const { plan } = entry;
    if (typeof plan !== 'string' || names.includes(plan)) return [];
    return [{ path: ['keys', index, 'plan'], message: `there is no plan ${shown(plan)} under plans${didYouMean(plan, names)}` }];
  });
}

function duplicateKeyFaults(tree: unknown): Fault[] {
  const seen = new Map<string, number>();
  return list(tree, 'keys').flatMap(({ index, entry }) =>
    (['id', 'fingerprint'] as const).flatMap((field) => {
      const name = entry[field];
      if (typeof name !== 'string') return [];
      const before = seen.get(name);
      seen.set(name, before ?? index);
      return before === undefined || (before === index && field === 'fingerprint')
        ? []
        : [{ path: ['keys', index, field], message: `this key is listed twice, first as keys.${before}; keep one entry` }];
    }),
  );
}

function successorFaults(tree: unknown): Fault[] {
  const entries = list(tree, 'keys');
  const byName = new Map<string, number>();
  for (const { index, entry } of entries.toReversed())
    for (const name of [entry['label'], entry['fingerprint'], entry['id']]) if (typeof name === 'string') byName.set(name, index);
  const next = new Map<number, number>();
  for (const { index, entry } of entries) {
    const target = typeof entry['successor'] === 'string' ? byName.get(entry['successor']) : undefined;
    if (target !== undefined) next.set(index, target);
  }
  const faults: Fault[] = [];
  const reported = new Set<number>();
  for (const start of next.keys()) {
    const walked = new Set<number>();
    let at: number | undefined = start;
    while (at !== undefined && !walked.has(at)) {
      walked.add(at);
      at = next.get(at);
    }
    if (at !== start || reported.has(start)) continue;
    for (const member of walked) reported.add(member);
    faults.push({
      path: ['keys', start, 'successor'],
      message: walked.size === 1 ? 'a key cannot take over from itself' : 'these keys take over from each other in a circle',
    });
  }
  return faults;
}

function channelFaults(tree: unknown): Fault[] {
  const seen = new Map<string, string>();
  const faults: Fault[] = [];
  for (const { kind } of CHANNEL_KINDS) {
    for (const { index, entry } of list(tree, 'alerts', 'channels', kind)) {
      const { name } = entry;
      if (typeof name !== 'string') continue;
      const before = seen.get(name);
      if (before === undefined) seen.set(name, `alerts.channels.${kind}.${index}`);
      else
        faults.push({
          path: ['alerts', 'channels', kind, index, 'name'],
          message: `two channels are called ${shown(name)}, the first is ${before}; names must differ`,
        });
    }
  }
  if (seen.has(OWNER)) faults.push({ path: ['alerts', 'channels'], message: `no channel can be called ${OWNER}: in a route that is whoever owns the key` });
  const complain = (path: Path, name: unknown, names: readonly string[]): void => {
    if (typeof name === 'string' && !names.includes(name))
      faults.push({ path, message: `there is no channel ${shown(name)} under alerts.channels${didYouMean(name, names)}` });
  };
  const mails = list(tree, 'alerts', 'channels', 'email').flatMap(({ entry }) => (typeof entry['name'] === 'string' ? [entry['name']] : []));
  const ownerMail = section(tree, 'alerts', 'ownerMail');
  if (typeof ownerMail === 'string' && !mails.includes(ownerMail))
    faults.push({
      path: ['alerts', 'ownerMail'],
      message: `there is no email channel ${shown(ownerMail)} under alerts.channels.email${didYouMean(ownerMail, mails)}`,
    });
  for (const { index, entry } of list(tree, 'alerts', 'routes')) {
    for (const field of ['to', 'ownerless'] as const)
      names(entry[field]).forEach((name, at) => {
        const path: Path = ['alerts', 'routes', index, field, at];
        if (field === 'to' && name === OWNER) {
          if (mails.length === 0)
            faults.push({ path, message: 'owner is told by mail, and there is no channel under alerts.channels.email whose server could send it' });
        } else complain(path, name, [...seen.keys()]);
      });
  }
  for (const severity of ['critical', 'high', 'medium'])
    for (const { index, entry } of list(tree, 'alerts', 'escalation', severity))
      names(entry['channels']).forEach((name, at) => complain(['alerts', 'escalation', severity, index, 'channels', at], name, [...seen.keys()]));
  const fallback = section(tree, 'alerts', 'fallback');
  if (typeof fallback === 'string' && !seen.has(fallback))
    faults.push({ path: ['alerts', 'fallback'], message: `there is no channel ${shown(fallback)} under alerts.channels${didYouMean(fallback, seen.keys())}` });
  return faults;
}

/** A link must not lead to what is not there. */
function linkFaults(tree: unknown): Fault[] {
  const faults: Fault[] = [];
  if (typeof section(tree, 'alerts', 'links', 'kibana') === 'string' && section(tree, 'store', 'elasticsearch') === undefined)
    faults.push({ path: ['alerts', 'links', 'kibana'], message: 'without store.elasticsearch there is nothing to see in Kibana; leave it out' });
  const runbook = section(tree, 'alerts', 'links', 'runbook');
  const rules = RULES.map(({ id }) => id);
  for (const rule of isRecord(runbook) ? Object.keys(runbook) : [])
    if (!rules.includes(rule))
      faults.push({ path: ['alerts', 'links', 'runbook', rule], message: `there is no rule ${shown(rule)}${didYouMean(rule, rules)}` });
  return faults;
}

function names(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

/** A list of routes that tells nobody of anything. Needs the parsed values. */
export function routeFaults(routes: readonly Route[] | undefined): Fault[] {
  if (routes === undefined || routeGaps(routes).never.length < SEVERITIES.length) return [];
  return [
    {
      path: ['alerts', 'routes'],
      message: `these routes catch nothing: no alert has such a severity (${conditionsOf(routes)}); take a condition away, or leave routes out`,
    },
  ];
}

/** What is allowed and hardly meant. */
export function routeWarnings(routes: readonly Route[] | undefined): Fault[] {
  if (routes === undefined) return [];
  const { never, sometimes, unreachable } = routeGaps(routes);
  const path: Path = ['alerts', 'routes'];
  const rest = 'they are in the digest only. Add a last route without conditions if they should be told';
  return [
    ...(never.length === 0 || never.length === SEVERITIES.length
      ? []
      : [{ path, message: `no route catches ${never.join(' and ')} alerts, since the routes take: ${conditionsOf(routes)}; ${rest}` }]),
    ...(sometimes.length === 0
      ? []
      : [
          {
            path,
            message: `${sometimes.join(', ')} alerts that fit none of these conditions reach nobody, since every route that takes them has others: ${conditionsOf(routes)}; ${rest}`,
          },
        ]),
    ...unreachable.map(({ index, by }) => ({
      path: [...path, index],
      message: `this route is never asked, since route ${by} before it takes everything that it could; move it up, or add continue: true there`,
    })),
  ];
}

function conditionsOf(routes: readonly Route[]): string {
  const shownMax = 5;
  const said = routes.slice(0, shownMax).map((route) => {
    const threshold = thresholdOf(route);
    return `${route.name}: ${matchersText(route.matchers)}${threshold === undefined ? '' : `, ${threshold} and above`}`;
  });
  return `${said.join('; ')}${routes.length > shownMax ? `; and ${routes.length - shownMax} more` : ''}`;
}

function stdinFaults(tree: unknown): Fault[] {
  const [, second] = list(tree, 'sources').filter(({ entry }) => entry['stdin'] === true);
  return second === undefined ? [] : [{ path: ['sources', second.index, 'stdin'], message: 'standard input can be read only once' }];
}

/** Limits that plans and keys change only in part: what falls through must still fit. Needs the parsed values. */
export function levelFaults(parsed: ParsedConfig): Fault[] {
  const faults: Fault[] = [];
  for (const rule of RULES) {
    const base = parsed.rules[rule.id];
    for (const [name, plan] of Object.entries(parsed.plans)) {
      const own = plan.rules[rule.id];
      const fault = own === undefined ? undefined : disorder(rule, { ...base, ...defined(own) });
      if (fault !== undefined) faults.push({ path: ['plans', name, 'rules', rule.id], message: `${fault}; what is not set here falls through to rules` });
    }
    parsed.keys.list.forEach((key, index) => {
      const own = key.rules[rule.id];
      const plan = key.plan === undefined ? undefined : parsed.plans[key.plan]?.rules[rule.id];
      const fault = own === undefined ? undefined : disorder(rule, { ...base, ...defined(plan ?? {}), ...defined(own) });
      if (fault !== undefined)
        faults.push({ path: ['keys', index, 'rules', rule.id], message: `${fault}; what is not set here falls through to the plan, then to rules` });
    });
  }
  return faults;
}

function defined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Partial<T>;
}
