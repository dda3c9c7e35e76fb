import type { DurationMs, EpochMs } from '../../core/types.ts';
import { MINUTE_MS } from '../../core/window.ts';
import { type Attack, planAttacks } from '../simulate/attacks.ts';
import { Population } from '../simulate/population.ts';

/** Keys of the simulated gateway: as many as a small installation has. */
const KEYS = 48;
/** Over all keys. The busiest makes about 300 of them, well under the limit of 500. */
export const EVENTS_PER_MINUTE = 1_500;
export const ZIPF_EXPONENT = 0.9;
/** History before the demo begins, so that keys have a past. */
export const WARM_UP_MS: DurationMs = 10 * MINUTE_MS;

/** What one demo consists of: a function of the seed and of where it is put in time. */
export type DemoPlan = {
  readonly seed: number;
  readonly population: Population;
  readonly attacks: readonly Attack[];
  /** Start of the history. */
  readonly warmUp: EpochMs;
  /** From here on events come as the clock says. */
  readonly start: EpochMs;
  readonly end: EpochMs;
};

/** `end` is cut to a whole minute, so that the windows of two runs of one seed hold the same. */
export function planDemo(options: { readonly seed: number; readonly end: EpochMs; readonly spanMs: DurationMs }): DemoPlan {
  const end = Math.floor(options.end / MINUTE_MS) * MINUTE_MS;
  const start = Math.floor((end - options.spanMs) / MINUTE_MS) * MINUTE_MS;
  const population = new Population({ seed: options.seed, keys: KEYS });
  return { seed: options.seed, population, attacks: planAttacks({ seed: options.seed, population, start, end }), warmUp: start - WARM_UP_MS, start, end };
}

/** Every raw secret that the demo's logs hold: a test looks for them in whatever the run wrote. */
export function secretsOf(plan: DemoPlan): ReadonlySet<string> {
  const secrets = new Set(plan.population.all().map((key) => key.secret));
  for (const attack of plan.attacks) for (const event of attack.events) secrets.add(event.key);
  return secrets;
}
