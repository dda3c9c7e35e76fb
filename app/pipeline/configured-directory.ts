import type { Labels } from '../../alerts/matchers.ts';
import type { KeyDirectory, RuleLimits } from '../../core/directory.ts';
import type { EntityId } from '../../core/types.ts';
import { Directory } from '../../keys/directory.ts';
import { type Config, ruleLimits } from '../config/config.ts';

/** The directory whose defaults are the configuration's `rules`, and which grows by the aliases that traffic shows. */
export class ConfiguredDirectory implements KeyDirectory {
  #config: Pick<Config, 'rules' | 'directory'>;
  readonly #aliases: Map<EntityId, EntityId>;
  #keys: Directory;

  constructor(config: Pick<Config, 'rules' | 'directory'>, aliases: ReadonlyMap<EntityId, EntityId> = new Map()) {
    this.#config = config;
    this.#aliases = new Map(aliases);
    this.#keys = new Directory(config.directory, this.#aliases);
  }

  /** Whether anything in `aliases` was new. */
  learn(aliases: readonly { readonly credential: EntityId; readonly fingerprint: EntityId }[]): boolean {
    let isNew = false;
    for (const { credential, fingerprint } of aliases) {
      if (this.#aliases.get(fingerprint) === credential) continue;
      this.#aliases.set(fingerprint, credential);
      isNew = true;
    }
    if (isNew) this.#keys = this.#keys.withAliases(this.#aliases);
    return isNew;
  }

  /** Other limits and other keys from now on; what traffic showed of aliases stays. Whoever keeps owners must ask again. */
  replace(config: Pick<Config, 'rules' | 'directory'>): void {
    this.#config = config;
    this.#keys = new Directory(config.directory, this.#aliases);
  }

  get keys(): Directory {
    return this.#keys;
  }

  canonical(entity: EntityId): EntityId {
    return this.#keys.canonical(entity);
  }

  label(entity: EntityId): string {
    return this.#keys.label(entity);
  }

  known(fingerprint: string): EntityId | undefined {
    return this.#keys.known(fingerprint);
  }

  /** What routes and silences may ask of a key, beside what the alert itself says. */
  labels(entity: EntityId): Labels {
    return this.#keys.labels(entity);
  }

  limits(rule: string, entity: EntityId): RuleLimits {
    return this.#keys.limits(rule, entity, ruleLimits(this.#config, rule));
  }
}

/** The ids of the rules that are not switched off as a whole. */
export function enabledRules(config: Pick<Config, 'rules'>): readonly string[] {
  return Object.entries(config.rules)
    .filter(([, rule]) => rule.enabled)
    .map(([id]) => id);
}
