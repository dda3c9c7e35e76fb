import type { EscalationStep, EscalationSteps } from '../../alerts/escalation.ts';
import type { Route } from '../../alerts/route.ts';
import type { Severity } from '../../core/types.ts';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { z } from 'zod';
import { CHANNEL_KINDS } from '../../alerts/notify/registry.ts';
import type { ChannelConfig, ChannelKind } from '../../alerts/notify/channel.ts';
import { Secret } from '../../core/secret.ts';
import type { KeyEntry } from '../../keys/directory.ts';
import { systemReason } from '../cli/errors.ts';
import { defaultDataDirectory } from '../data-dir.ts';
import type { ServerTls } from '../http/tls.ts';
import type { Config, ElasticsearchConfig, KafkaConfig, ReadingConfig, RuleConfig, SourceConfig } from './config.ts';
import type { Diagnostic, Path } from './diagnostic.ts';
import type { Layers } from './layers.ts';
import { SecretRef, TextRef } from './schema/fields.ts';
import type { ParsedKey } from './schema/keys.ts';
import type { ParsedConfig } from './schema/schema.ts';
import { readSecret } from './secrets.ts';
import { isSecretPath } from './shape.ts';
import { wordingOf } from './wording.ts';

export type FinishOptions = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly secrets?: 'all' | 'store' | 'pepper' | 'none' | undefined;
};

/** Turns what the schema made into what the program uses: reads secrets, resolves paths, fills what falls through. */
export class Finish {
  readonly faults: Diagnostic[] = [];
  readonly #layers: Layers;
  readonly #options: FinishOptions;
  readonly #directories: { readonly file: string; readonly cwd: string };

  constructor(layers: Layers, options: FinishOptions, directories: { readonly file: string; readonly cwd: string }) {
    this.#layers = layers;
    this.#options = options;
    this.#directories = directories;
  }

  config(parsed: ParsedConfig): Config {
    const { retention } = parsed.store;
    const reading: ReadingConfig = {
      format: 'auto',
      envelope: 'auto',
      map: { fields: withoutUndefined(parsed.format.map), ...(parsed.format.latencyUnit === undefined ? {} : { latencyUnit: parsed.format.latencyUnit }) },
      keyNames: parsed.keyNames,
      keyBy: parsed.keyBy,
    };
    return {
      sources: parsed.sources.map((source, index) => this.#source(source, index, reading)),
      reading,
      clients: parsed.clients,
      pepper: parsed.pepper === undefined ? undefined : this.#secret(parsed.pepper, ['pepper']),
      store: {
        directory: parsed.store.directory === undefined ? defaultDataDirectory(this.#options.env) : this.#path(parsed.store.directory, ['store', 'directory']),
        isDirectoryGiven: parsed.store.directory !== undefined,
        elasticsearch: parsed.store.elasticsearch === undefined ? undefined : this.#elasticsearch(parsed.store.elasticsearch),
        retention: {
          partialsMs: retention.partials,
          minutesMs: retention.minutes,
          hoursMs: retention.hours,
          daysMs: retention.days,
          bytesMax: retention.bytesMax ?? 0,
        },
      },
      rules: Object.fromEntries(
        Object.entries(parsed.rules).map(([id, rule]): [string, RuleConfig] => [
          id,
          { enabled: rule.enabled, warning: rule.warning ?? undefined, critical: rule.critical ?? undefined },
        ]),
      ),
      directory: {
        keys: keyEntries(parsed.keys.list),
        plans: parsed.plans,
      },
      inventory:
        parsed.keys.inventory === undefined ? undefined : { path: this.#path(parsed.keys.inventory, ['keys', 'inventory']), name: parsed.keys.inventory },
      limits: parsed.limits,
      enrich: { databases: (parsed.enrich.databases ?? []).map((path) => this.#path(path, ['enrich', 'databases'])) },
      lateness: parsed.lateness,
      http: parsed.http === undefined ? undefined : { ...parsed.http, tls: this.#serverTls(parsed.http.tls, ['http', 'tls']) },
      api: parsed.api === undefined ? undefined : { ...parsed.api, tls: this.#serverTls(parsed.api.tls, ['api', 'tls']) },
      ops: parsed.ops,
      alerts: {
        channels: this.#channels(parsed.alerts.channels),
        fallback: parsed.alerts.fallback,
        routes: parsed.alerts.routes?.map(routeOf),
        ownerMail: parsed.alerts.ownerMail ?? (parsed.alerts.channels['email'] ?? [])[0]?.name,
        surveyMs: parsed.alerts.survey,
        escalation: escalationSteps(parsed.alerts.escalation),
        links: { kibana: parsed.alerts.links.kibana?.replace(/\/+$/, ''), runbook: parsed.alerts.links.runbook },
        watch: {
          deadManUrl: parsed.alerts.watch.deadManUrl === undefined ? undefined : this.#deadManUrl(parsed.alerts.watch.deadManUrl),
          silentAfterMs: parsed.alerts.watch.silentAfter,
        },
        digest: { ...parsed.alerts.digest, timezone: zoneOf(parsed.alerts.digest.timezone) },
      },
      log: parsed.log,
      publicUrl: parsed.publicUrl?.replace(/\/+$/, ''),
    };
  }

  #source(source: ParsedConfig['sources'][number], index: number, reading: ReadingConfig): SourceConfig {
    const latencyUnit = source.latencyUnit ?? reading.map.latencyUnit;
    const own: ReadingConfig = {
      format: source.format,
      envelope: source.envelope,
      map: { fields: { ...reading.map.fields, ...withoutUndefined(source.map ?? {}) }, ...(latencyUnit === undefined ? {} : { latencyUnit }) },
      keyNames: source.keyNames ?? reading.keyNames,
      keyBy: source.keyBy ?? reading.keyBy,
    };
    if (source.kafka !== undefined) return { kind: 'kafka', kafka: this.#kafka(source.kafka, ['sources', index, 'kafka']), ...own };
    if (source.file === undefined) return { kind: 'stdin', ...own };
    return { kind: 'file', patterns: source.file.map((pattern) => this.#path(pattern, ['sources', index, 'file'])), ...own };
  }

  #kafka(kafka: NonNullable<ParsedConfig['sources'][number]['kafka']>, at: Path): KafkaConfig {
    const { tls, sasl, topics, pattern, ...rest } = kafka;
    return {
      ...rest,
      topics: topics ?? [],
      pattern,
      tls:
        typeof tls === 'boolean'
          ? tls
            ? {}
            : undefined
          : {
              ...(tls.ca === undefined ? {} : { ca: this.#text(tls.ca, [...at, 'tls', 'ca']) }),
              ...(tls.cert === undefined ? {} : { cert: this.#text(tls.cert, [...at, 'tls', 'cert']) }),
              ...(tls.key === undefined ? {} : { key: this.#secret(tls.key, [...at, 'tls', 'key']) }),
            },
      sasl: sasl === undefined ? undefined : { ...sasl, password: this.#secret(sasl.password, [...at, 'sasl', 'password']) },
    };
  }

  #elasticsearch(elasticsearch: NonNullable<ParsedConfig['store']['elasticsearch']>): ElasticsearchConfig {
    const at: Path = ['store', 'elasticsearch'];
    const { apiKey, username, password, ca, ...rest } = elasticsearch;
    return {
      ...rest,
      username,
      apiKey: apiKey === undefined ? undefined : this.#secret(apiKey, [...at, 'apiKey']),
      password: password === undefined ? undefined : this.#secret(password, [...at, 'password']),
      ca: ca === undefined ? undefined : this.#text(ca, [...at, 'ca']),
    };
  }

  #serverTls(tls: NonNullable<ParsedConfig['http']>['tls'], at: Path): ServerTls | undefined {
    if (tls === undefined) return undefined;
    return {
      cert: this.#text(tls.cert, [...at, 'cert']),
      key: this.#secret(tls.key, [...at, 'key']),
      clientCa: tls.clientCa === undefined ? undefined : this.#text(tls.clientCa, [...at, 'clientCa']),
    };
  }

  #channels(parsed: ParsedConfig['alerts']['channels']): readonly ChannelConfig[] {
    return CHANNEL_KINDS.flatMap((kind) =>
      (parsed[kind.kind] ?? []).map((channel, index) => this.#channel(kind, channel, ['alerts', 'channels', kind.kind, index])),
    );
  }

  #channel(kind: ChannelKind, parsed: ParsedConfig['alerts']['channels'][string][number], at: Path): ChannelConfig {
    const { name, minSeverity, ...written } = parsed;
    const settings = this.#resolved(written, at);
    this.#crossCheck(kind.config, settings, at);
    return { kind: kind.kind, name, minSeverity, settings };
  }

  /** The same with secrets and texts in place of the references to them. */
  #resolved(value: unknown, at: Path): unknown {
    if (value instanceof SecretRef) return this.#secret(value, at);
    if (value instanceof TextRef) return this.#text(value.path, at);
    if (Array.isArray(value)) return value.map((item: unknown, index) => this.#resolved(item, [...at, index]));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).flatMap(([name, item]) => (item === undefined ? [] : [[name, this.#resolved(item, [...at, name])]])));
  }

  /** What only the channel itself knows, such as whether a webhook is an https:// address. */
  #crossCheck(schema: z.ZodType, channel: unknown, at: Path): void {
    // A secret that was not read, by wish or by fault, says nothing about the channel.
    if ((this.#options.secrets ?? 'all') !== 'all' || this.faults.some(({ path }) => at.every((part, index) => part === path[index]))) return;
    const checked = schema.safeParse(channel, { error: wordingOf });
    if (checked.success) return;
    for (const issue of checked.error.issues) {
      const path: Path = [...at, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))];
      this.faults.push({ place: this.#layers.place(path, 'value'), path, message: issue.message, hidesValue: isSecretPath(path) });
    }
  }

  /** The text of a file that a setting names. */
  #text(path: string, at: Path): string {
    const file = this.#path(path, at);
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      this.faults.push({ place: this.#layers.place(at, 'value'), path: at, message: `cannot read ${file}: ${systemReason(error)}` });
      return '';
    }
  }

  /** Relative to the file that says it, else to the working directory. */
  #path(path: string, at: Path): string {
    if (path === '~' || path.startsWith('~/')) return join(homedir(), path.slice(1));
    return isAbsolute(path) ? path : join(this.#layers.baseDirectory(at, this.#directories), path);
  }

  #deadManUrl(ref: SecretRef): Secret {
    const at: Path = ['alerts', 'watch', 'deadManUrl'];
    const url = this.#secret(ref, at);
    const text = url.reveal();
    const isAddress = URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
    if (text !== '' && !isAddress)
      this.faults.push({
        place: this.#layers.place(at, 'value'),
        path: at,
        message: 'what it refers to is not an http:// or https:// address',
        hidesValue: true,
      });
    return url;
  }

  #secret(ref: SecretRef, at: Path): Secret {
    const wanted = this.#options.secrets ?? 'all';
    const isWanted = wanted === 'all' || (wanted === 'store' && at[0] === 'store') || ((wanted === 'store' || wanted === 'pepper') && at[0] === 'pepper');
    if (!isWanted) return new Secret('');
    const read = readSecret(ref, { env: this.#options.env, resolve: (path) => this.#path(path, [...at, 'file']) });
    if (read.ok) return read.secret;
    this.faults.push({ place: this.#layers.place([...at, ref.kind], 'value'), path: at, message: read.message });
    return new Secret('');
  }
}

/** The keys of the configuration, or of a file of their own, as `keys/directory` takes them. */
export function keyEntries(keys: readonly ParsedKey[]): readonly KeyEntry[] {
  return keys.map(({ publicId: _, id, ...entry }) => ({
    ...withoutUndefined(entry),
    ...(id === undefined ? {} : { id: id.replace(/^key:/, '') }),
    rules: entry.rules,
  }));
}

function zoneOf(timezone: string): string {
  return timezone === 'local' ? Intl.DateTimeFormat().resolvedOptions().timeZone : timezone;
}

function routeOf({ name, match, quiet, ...route }: NonNullable<ParsedConfig['alerts']['routes']>[number], index: number): Route {
  return {
    ...route,
    name: name ?? `number ${index + 1}`,
    matchers: match,
    quiet: quiet === undefined ? undefined : { ...quiet, timezone: zoneOf(quiet.timezone) },
  };
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

function escalationSteps(parsed: ParsedConfig['alerts']['escalation']): EscalationSteps {
  const steps: Partial<Record<Severity, readonly EscalationStep[]>> = {};
  for (const severity of ['critical', 'high', 'medium'] as const) {
    const configured = parsed[severity];
    if (configured !== undefined) steps[severity] = configured.map(({ after, channels, mention }) => ({ afterMs: after, channels, mentions: mention }));
  }
  return steps;
}
