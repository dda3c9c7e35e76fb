import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { JournalEntry, Notification } from '../../core/alert.ts';
import type { Notifier } from '../../core/ports.ts';
import { Secret } from '../../core/secret.ts';
import { type DurationMs, type Outcome, type Severity } from '../../core/types.ts';
import type { KeyCards } from './facts.ts';

/**
 * How the settings of a channel are written, once for two readers: the configuration file (secrets by reference, times
 * with a unit, certificates by path) and the program (secrets, milliseconds, texts). A channel describes its settings
 * with these fields, and the configuration knows nothing of it but that.
 */
export interface SettingFields<S extends z.ZodType, D extends z.ZodType, P extends z.ZodType> {
  /** What must never be printed. */
  secret(what: string): S;
  /** Milliseconds. `preset` is written as in the file: `10s`. */
  duration(what: string, bounds: { readonly min: DurationMs; readonly max: DurationMs; readonly preset: string }): D;
  /** PEM. In the file the path of one. */
  pem(what: string): P;
}

const UNITS: Readonly<Record<string, DurationMs>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** As the program has them. */
export const PROGRAM_FIELDS = {
  secret: () => z.instanceof(Secret, { error: 'give it as {file: …} or {env: …}' }),
  duration: (_what: string, { min, max, preset }: { readonly min: DurationMs; readonly max: DurationMs; readonly preset: string }) => {
    const [, count, unit] = /^(\d+)(ms|s|m|h)$/.exec(preset) ?? [];
    return z
      .int()
      .min(min)
      .max(max)
      .default(Number(count) * (UNITS[unit ?? ''] ?? Number.NaN));
  },
  pem: () => z.string().min(1),
};

/** What all channels have. */
export type ChannelConfig = {
  readonly kind: string;
  /** Unique among all channels. */
  readonly name: string;
  /** Alerts below it are told in the digest only. */
  readonly minSeverity: Severity;
  /** What the channel's own schema makes of the rest. */
  readonly settings: unknown;
};

/**
 * What one channel wants to know again after a restart: the post that a thread hangs on, how far records were handed
 * over. Small texts, kept in the store; only the process that judges writes them.
 */
export interface ChannelNotes {
  read(name: string): Promise<string | undefined>;
  write(name: string, text: string): Promise<void>;
}

export type ChannelDeps = {
  readonly name: string;
  readonly minSeverity: Severity;
  readonly clock: Clock;
  readonly notes: ChannelNotes;
  /** Owner, team, environment of a key, where the inventory knows them. */
  readonly cards?: KeyCards | undefined;
  /** Told of what a person should know although the message counts as sent. */
  readonly onProblem: (message: string) => void;
};

/** A notifier whose far side forgets what it is not told again: it is told every `refreshMs` what is open. */
export interface RefreshingNotifier extends Notifier {
  readonly refreshMs: DurationMs;
  /** `open`: what this channel was told of and is not over, as it is now. */
  refresh(open: readonly Notification[], signal: AbortSignal): Promise<Outcome>;
}

export function isRefreshing(notifier: Notifier): notifier is RefreshingNotifier {
  return 'refresh' in notifier;
}

/** A notifier that also takes every decision as a record: finding, alert and audit, in the order of the journal. */
export interface RecordingNotifier extends Notifier {
  record(entries: readonly JournalEntry[], signal: AbortSignal): Promise<Outcome>;
}

export function isRecording(notifier: Notifier): notifier is RecordingNotifier {
  return 'record' in notifier;
}

/** Where a channel sends to: for a look whether anything answers there. */
export type ChannelTarget = { readonly host: string; readonly port: number };

/** A kind of channel. A further one is one folder that exports one of these, and a line in `registry.ts`. */
export type ChannelKind = {
  /** As in `alerts.channels.<kind>`. */
  readonly kind: string;
  /** One sentence for the schema and the manual. */
  readonly summary: string;
  readonly minSeverity: Severity;
  /** Whether it gets the daily digest: what a machine reads does not. */
  readonly hasDigest: boolean;
  /** The shape of its settings, without what all channels have. */
  readonly fields: <S extends z.ZodType, D extends z.ZodType, P extends z.ZodType>(fields: SettingFields<S, D, P>) => z.ZodRawShape;
  /** The same for the program, with what only the channel itself knows to check. */
  readonly config: z.ZodType;
  /** `settings` as `config` makes them. */
  readonly targets: (settings: unknown) => readonly ChannelTarget[];
  readonly open: (settings: unknown, deps: ChannelDeps) => Notifier;
  /** What to do when a sample was refused. */
  readonly advice: string;
};

/** Gives the channel its settings with their type: they are parsed once more here, where they become code. */
export function channelKind<T>(kind: {
  readonly kind: string;
  readonly summary: string;
  readonly minSeverity: Severity;
  readonly hasDigest: boolean;
  readonly fields: ChannelKind['fields'];
  readonly config: z.ZodType<T>;
  readonly targets: (settings: T) => readonly ChannelTarget[];
  readonly open: (settings: T, deps: ChannelDeps) => Notifier;
  readonly advice: string;
}): ChannelKind {
  return {
    ...kind,
    targets: (settings) => kind.targets(kind.config.parse(settings)),
    open: (settings, deps) => kind.open(kind.config.parse(settings), deps),
  };
}

/** https, or http to this machine: anything else would send secrets in the clear. */
export function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return url.protocol === 'https:' || (url.protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname));
}

export function targetOf(address: string): ChannelTarget {
  const url = new URL(address);
  const port = url.port === '' ? (url.protocol === 'http:' ? 80 : 443) : Number(url.port);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port };
}
