import type { EscalationSteps } from '../../alerts/escalation.ts';
import type { Route } from '../../alerts/route.ts';
import type { z } from 'zod';
import type { ChannelConfig } from '../../alerts/notify/channel.ts';
import type { RuleLimits } from '../../core/directory.ts';
import type { Retention } from '../../core/ports.ts';
import type { Secret } from '../../core/secret.ts';
import type { FormatName } from '../../ingest/parse/detect.ts';
import type { JsonMap } from '../../ingest/parse/json.ts';
import type { DirectoryInput } from '../../keys/directory.ts';
import type { LOG_LEVELS } from './schema/schema.ts';
import type { ServerTls } from '../http/tls.ts';
import type { apiSchema } from './schema/api.ts';
import type { httpSchema, OpsConfig } from './schema/http.ts';
import type { KEY_BY } from './schema/sources.ts';

/** How the lines of one source are read. */
export type ReadingConfig = {
  readonly format: FormatName | 'auto';
  readonly envelope: string;
  readonly map: JsonMap;
  readonly keyNames: readonly string[];
  readonly keyBy: (typeof KEY_BY)[number];
};

export type SourceConfig =
  /** Absolute paths and globs. */
  | (ReadingConfig & { readonly kind: 'file'; readonly patterns: readonly string[] })
  | (ReadingConfig & { readonly kind: 'stdin' })
  | (ReadingConfig & { readonly kind: 'kafka'; readonly kafka: KafkaConfig });

/** One cluster and what is read from it. Texts of certificates, not paths. */
export type KafkaConfig = {
  readonly brokers: readonly string[];
  readonly topics: readonly string[];
  /** Of whole topic names; instead of `topics`. */
  readonly pattern: string | undefined;
  readonly group: string;
  readonly from: 'earliest' | 'latest';
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: Secret } | undefined;
  readonly sasl: { readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; readonly username: string; readonly password: Secret } | undefined;
  readonly onCorrupt: 'halt' | 'skip';
  readonly busTopic: string;
  readonly deadLetterTopic: string;
};

export type ElasticsearchConfig = {
  readonly nodes: readonly string[];
  readonly apiKey: Secret | undefined;
  readonly username: string | undefined;
  readonly password: Secret | undefined;
  /** PEM. */
  readonly ca: string | undefined;
  readonly prefix: string;
  readonly shards: number;
  readonly replicas: number;
  readonly ilm: boolean;
  readonly compression: boolean;
};

type WithTls<T> = Omit<T, 'tls'> & { readonly tls: ServerTls | undefined };
export type HttpConfig = WithTls<z.output<typeof httpSchema>>;
export type ApiConfig = WithTls<z.output<typeof apiSchema>>;

/** A rule's limits for everybody; undefined is off. */
export type RuleConfig = RuleLimits & { readonly enabled: boolean };

/** The configuration as the program uses it: defaults filled in, units resolved, secrets read, frozen. */
export type Config = {
  readonly sources: readonly SourceConfig[];
  /** How lines are read that belong to no configured source, as in `analyze`. */
  readonly reading: ReadingConfig;
  readonly clients: { readonly trustedProxies: readonly string[]; readonly depth: number };
  /** Base64; undefined means the one in the data directory. */
  readonly pepper: Secret | undefined;
  readonly store: {
    /** Absolute. */
    readonly directory: string;
    /** False while it is only the default: `analyze` and `demo` then use a temporary one. */
    readonly isDirectoryGiven: boolean;
    /** Undefined: embedded in files of the data directory. */
    readonly elasticsearch: ElasticsearchConfig | undefined;
    readonly retention: Retention;
  };
  readonly rules: Readonly<Record<string, RuleConfig>>;
  /** What `keys/directory` is made of: the inventory and the plans. */
  readonly directory: DirectoryInput;
  /** The file that the keys come from; `name` as it is written. */
  readonly inventory: { readonly path: string; readonly name: string } | undefined;
  readonly limits: { readonly entities: number; readonly lineBytes: number; readonly dictionary: number };
  /** Absolute paths of .mmdb files. */
  readonly enrich: { readonly databases: readonly string[] };
  readonly lateness: number | undefined;
  /** Undefined: no HTTP ingest. */
  readonly http: HttpConfig | undefined;
  /** Undefined: no API. */
  readonly api: ApiConfig | undefined;
  readonly ops: OpsConfig;
  readonly alerts: {
    /** Of all kinds. */
    readonly channels: readonly ChannelConfig[];
    readonly fallback: string | undefined;
    /** Undefined: every channel is told from its `minSeverity` on. */
    readonly routes: readonly Route[] | undefined;
    /** The email channel whose server sends to owners of keys. */
    readonly ownerMail: string | undefined;
    /** 0: none. */
    readonly surveyMs: number;
    readonly escalation: EscalationSteps;
    readonly links: {
      /** Without a slash at its end. */
      readonly kibana: string | undefined;
      /** For all rules, or by rule. */
      readonly runbook: string | Readonly<Record<string, string>> | undefined;
    };
    /** `silentAfterMs` null: never. */
    readonly watch: { readonly deadManUrl: Secret | undefined; readonly silentAfterMs: number | null };
    readonly digest: { readonly enabled: boolean; readonly at: string; readonly timezone: string };
  };
  readonly log: { readonly level: (typeof LOG_LEVELS)[number] };
  /** Without a slash at its end. */
  readonly publicUrl: string | undefined;
};

/** The limits that hold for everybody: what `KeyDirectory.limits` takes as its defaults. */
export function ruleLimits(config: Pick<Config, 'rules'>, rule: string): RuleLimits {
  const found = Object.hasOwn(config.rules, rule) ? config.rules[rule] : undefined;
  return found === undefined || !found.enabled ? { warning: undefined, critical: undefined } : { warning: found.warning, critical: found.critical };
}
