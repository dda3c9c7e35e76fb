import { Secret } from '../../core/secret.ts';
import type { Config } from './config.ts';

/** What a running process can take anew. */
const LIVE: readonly (keyof Config)[] = ['rules', 'directory', 'inventory', 'publicUrl'];
/** Of `alerts`, what begins with the process: the digest's time of day and who watches Keywatch itself. */
const FIXED_ALERTS: readonly (keyof Config['alerts'])[] = ['digest', 'watch', 'surveyMs'];
const NAMES: Readonly<Record<string, string>> = { directory: 'keys and plans', inventory: 'keys.inventory', reading: 'format', surveyMs: 'survey' };

export type ConfigChange = {
  /** What to run with: the old one where a restart is needed. */
  readonly config: Config;
  /** Names of what changed and holds from now on. */
  readonly applied: readonly string[];
  /** Names of what changed and holds after a restart. */
  readonly needsRestart: readonly string[];
};

/** What becomes of a running process when its configuration is read again. */
export function configChange(before: Config, after: Config): ConfigChange {
  const changed = (Object.keys({ ...before, ...after }) as (keyof Config)[]).filter((name) => name !== 'alerts' && !isSame(before[name], after[name]));
  const alerts = (Object.keys({ ...before.alerts, ...after.alerts }) as (keyof Config['alerts'])[]).filter(
    (name) => !isSame(before.alerts[name], after.alerts[name]),
  );
  const named = (name: string, section = ''): string => `${section}${NAMES[name] ?? name}`;
  const { digest, watch, surveyMs } = before.alerts;
  return {
    config: {
      ...before,
      rules: after.rules,
      directory: after.directory,
      inventory: after.inventory,
      publicUrl: after.publicUrl,
      alerts: { ...after.alerts, digest, watch, surveyMs },
    },
    applied: [
      ...changed.filter((name) => LIVE.includes(name)).map((name) => named(name)),
      ...alerts.filter((name) => !FIXED_ALERTS.includes(name)).map((name) => named(name, 'alerts.')),
    ],
    needsRestart: [
      ...changed.filter((name) => !LIVE.includes(name)).map((name) => named(name)),
      ...alerts.filter((name) => FIXED_ALERTS.includes(name)).map((name) => named(name, 'alerts.')),
    ],
  };
}

/** Also of secrets, which compare as nothing otherwise. */
function isSame(a: unknown, b: unknown): boolean {
  if (a instanceof Secret && b instanceof Secret) return a.reveal() === b.reveal();
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return Object.is(a, b);
  const [one, other] = [Object.entries(a), new Map(Object.entries(b))];
  const written = one.filter(([, value]) => value !== undefined);
  return (
    Array.isArray(a) === Array.isArray(b) &&
    written.length === [...other.values()].filter((value) => value !== undefined).length &&
    written.every(([name, value]) => isSame(value, other.get(name)))
  );
}
