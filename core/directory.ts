import type { EntityId } from './types.ts';

/** Warning and critical limit of one rule; undefined switches that level off. */
export type RuleLimits = { readonly warning?: number | undefined; readonly critical?: number | undefined };

/** Who a key is. The real one is `keys/directory`; the judge and the alerts see only this. */
export interface KeyDirectory {
  /** Unites a key's fingerprint and credential id, and its successors: what is judged. */
  canonical(entity: EntityId): EntityId;
  /** How people call it: the label of the inventory, else `key 9f3c12ab` (first 8 hex), `203.0.113.24 curl/8.5.0`, `network 203.0.113.0/24`. Never characters of a secret. */
  label(entity: EntityId): string;
  /** The key that owns a fingerprint, if the inventory or an alias knows it. */
  known(fingerprint: string): EntityId | undefined;
  /** The limits of a rule on an entity: exact id, then label or glob, then plan, then the rule's default. */
  limits(rule: string, entity: EntityId, defaults: RuleLimits): RuleLimits;
}
