import type { KeyDirectory, RuleLimits } from '../core/directory.ts';
import { FINGERPRINT_VERSION, isFingerprint } from '../core/fingerprint.ts';
import { safeText } from '../core/text.ts';
import { assertNever, type EntityId, entityId, entityKind, entityName } from '../core/types.ts';
import { matchesGlob } from './glob.ts';
import { type Lineage, lineages } from './lineage.ts';

/** What an inventory says of one rule. Absent falls through to the next, `null` switches the level off. */
export type RuleOverride = {
  readonly enabled?: boolean | undefined;
  readonly warning?: number | null | undefined;
  readonly critical?: number | null | undefined;
};
export type RuleOverrides = Readonly<Record<string, RuleOverride | undefined>>;

/**
 * A line of the inventory. With `id` or `fingerprint` it is one key (or one client or user, by `client:…` and
 * `user:…`); with `match` it is all keys, users and
 * clients whose label or name fits; with a label alone it is all keys of that label.
 */
export type KeyEntry = {
  readonly id?: string | undefined;
  readonly fingerprint?: string | undefined;
  readonly match?: string | undefined;
  readonly label?: string | undefined;
  readonly plan?: string | undefined;
  readonly owner?: string | undefined;
  /** A mail address, where the owner should be told. */
  readonly contact?: string | undefined;
  readonly team?: string | undefined;
  readonly environment?: string | undefined;
  readonly tier?: string | undefined;
  /** Nothing may act on it by itself. */
  readonly protected?: boolean | undefined;
  /** The id, fingerprint or label of the key that takes over. */
  readonly successor?: string | undefined;
  readonly rules: RuleOverrides;
};

export type DirectoryInput = { readonly keys: readonly KeyEntry[]; readonly plans: Readonly<Record<string, { readonly rules: RuleOverrides }>> };

/** What is known about a lineage; the newest key that says something wins. */
export type KeyFacts = {
  readonly label: string;
  readonly plan?: string | undefined;
  readonly owner?: string | undefined;
  readonly contact?: string | undefined;
  readonly team?: string | undefined;
  readonly environment?: string | undefined;
  readonly tier?: string | undefined;
  readonly protected?: boolean | undefined;
  /** True when the inventory lists it itself, not by a pattern. */
  readonly isListed: boolean;
  /** All names under which it is counted. */
  readonly members: readonly EntityId[];
};

/** In characters; a gateway's public id is shown whole up to here. */
const SHOWN_ID_MAX = 48;
const FINGERPRINT_HEAD = FINGERPRINT_VERSION.length + 1;
/** Remembered answers for entities that only patterns can match; bounded, because attackers choose entities. */
const PATTERN_CACHE_MAX = 50_000;

type Card = Pick<KeyEntry, 'plan' | 'owner' | 'contact' | 'team' | 'environment' | 'tier' | 'protected'>;
type Matched = { readonly card: Card; readonly overrides: readonly RuleOverrides[] };

/** Who a key is, from the inventory and from the aliases that traffic showed. Immutable. */
export class Directory implements KeyDirectory {
  readonly #input: DirectoryInput;
  readonly #lineages: ReadonlyMap<string, Lineage>;
  readonly #exact = new Map<string, KeyEntry[]>();
  readonly #byLabel = new Map<string, KeyEntry[]>();
  readonly #patterns: readonly (KeyEntry & { readonly match: string })[];
  readonly #matched = new Map<EntityId, Matched>();

  constructor(input: DirectoryInput, aliases: ReadonlyMap<EntityId, EntityId> = new Map()) {
    this.#input = input;
    const patterns: (KeyEntry & { readonly match: string })[] = [];
    for (const entry of input.keys) {
      const { match } = entry;
      if (match !== undefined) patterns.push({ ...entry, match });
      else if (namesOf(entry).length === 0) push(this.#byLabel, entry.label ?? '', entry);
      for (const name of namesOf(entry)) push(this.#exact, name, entry);
    }
    this.#patterns = patterns;
    this.#lineages = lineages({
      names: input.keys.flatMap(namesOf).filter(isKeyName),
      sames: [
        ...input.keys.flatMap((entry) => pairs(namesOf(entry).filter(isKeyName))),
        ...[...aliases]
          .filter(([a, b]) => entityKind(a) === 'key' && entityKind(b) === 'key')
          .map(([a, b]): [string, string] => [entityName(a), entityName(b)]),
      ],
      successions: successionsOf(input.keys),
    });
  }

  withAliases(aliases: ReadonlyMap<EntityId, EntityId>): Directory {
    return new Directory(this.#input, aliases);
  }

  canonical(entity: EntityId): EntityId {
    const lineage = this.#lineageOf(entity);
    return lineage === undefined ? entity : entityId('key', lineage.canonical);
  }

  label(entity: EntityId): string {
    return this.#labelOf(entity) ?? defaultLabel(entity);
  }

  known(fingerprint: string): EntityId | undefined {
    const lineage = this.#lineages.get(fingerprint);
    return lineage === undefined ? undefined : entityId('key', lineage.canonical);
  }

  limits(rule: string, entity: EntityId, defaults: RuleLimits): RuleLimits {
    const {
      card: { plan },
      overrides,
    } = this.#match(entity);
    const planRules = plan === undefined ? undefined : this.#input.plans[plan]?.rules;
    return layered(rule, planRules === undefined ? overrides : [...overrides, planRules], defaults);
  }

  /** Everything a person may want to see about an entity. */
  facts(entity: EntityId): KeyFacts {
    const lineage = this.#lineageOf(entity);
    return {
      label: this.label(entity),
      ...this.#match(entity).card,
      isListed: this.#exactEntries(entity).length > 0,
      members: lineage === undefined ? [entity] : lineage.members.map((name) => entityId('key', name)),
    };
  }

  /** What routes and silences may ask of it, beside what an alert says itself: owner, contact, team, environment, plan, tier. */
  labels(entity: EntityId): Readonly<Record<string, string>> {
    const { owner, contact, team, environment, plan, tier } = this.#match(entity).card;
    return Object.fromEntries(
      Object.entries({ owner, contact, team, environment, plan, tier }).filter((pair): pair is [string, string] => pair[1] !== undefined),
    );
  }

  /** The canonical entities that a person may mean by `text`: an id, a fingerprint, its first 8 hex or more, a label, `key 9f3c12ab`. */
  find(text: string, entities: Iterable<EntityId> = []): readonly EntityId[] {
    const wanted = text.trim();
    const bare = wanted.replace(/^key[ :]/, '');
    const isHead = /^(?:kf\d_)?[0-9a-f]{8,32}$/.test(bare);
    const found = new Set<EntityId>();
    const consider = (entity: EntityId): void => {
      const name = entityName(entity);
      const isHeadOf = isHead && isFingerprint(name) && (name.startsWith(bare) || name.slice(FINGERPRINT_HEAD).startsWith(bare));
      if (entity === wanted || name === wanted || name === bare || isHeadOf || this.label(entity) === wanted) found.add(this.canonical(entity));
    };
    for (const name of this.#lineages.keys()) consider(entityId('key', name));
    for (const name of this.#exact.keys()) if (!isKeyName(name)) consider(parseEntity(name));
    for (const entity of entities) consider(entity);
    return [...found];
  }

  #lineageOf(entity: EntityId): Lineage | undefined {
    return entityKind(entity) === 'key' ? this.#lineages.get(entityName(entity)) : undefined;
  }

  /** Newest key first; in the order of the inventory where one key has several entries. */
  #exactEntries(entity: EntityId): readonly KeyEntry[] {
    const lineage = this.#lineageOf(entity);
    if (lineage === undefined) return this.#exact.get(entity) ?? [];
    return [...new Set(lineage.members.flatMap((name) => this.#exact.get(name) ?? []))];
  }

  #labelOf(entity: EntityId): string | undefined {
    return this.#exactEntries(entity).find((entry) => entry.label !== undefined)?.label;
  }

  #match(entity: EntityId): Matched {
    if (this.#patterns.length === 0 && this.#lineageOf(entity) === undefined && !this.#exact.has(entity)) return NOTHING;
    const remembered = this.#matched.get(entity);
    if (remembered !== undefined) return remembered;
    const exact = this.#exactEntries(entity);
    const label = this.#labelOf(entity);
    const labelled = label === undefined ? [] : (this.#byLabel.get(label) ?? []);
    const names = [...(this.#lineageOf(entity)?.members ?? [entityName(entity)]), entity, ...(label === undefined ? [] : [label])];
    const patterns = this.#patterns.filter((entry) => names.some((name) => matchesGlob(entry.match, name)));
    const entries = [...exact, ...labelled, ...patterns];
    const matched: Matched = {
      card: {
        plan: entries.find((entry) => entry.plan !== undefined)?.plan,
        owner: entries.find((entry) => entry.owner !== undefined)?.owner,
        contact: entries.find((entry) => entry.contact !== undefined)?.contact,
        team: entries.find((entry) => entry.team !== undefined)?.team,
        environment: entries.find((entry) => entry.environment !== undefined)?.environment,
        tier: entries.find((entry) => entry.tier !== undefined)?.tier,
        // Of all entries: one that protects it is enough.
        protected: entries.some((entry) => entry.protected === true) || undefined,
      },
      overrides: entries.map((entry) => entry.rules),
    };
    if (this.#matched.size >= PATTERN_CACHE_MAX) this.#matched.clear();
    this.#matched.set(entity, matched);
    return matched;
  }
}

const NOTHING: Matched = { card: {}, overrides: [] };

/** How people call an entity that no inventory names. What came from traffic is made safe; a fingerprint shows its first 8 hex. */
export function defaultLabel(entity: EntityId): string {
  const name = entityName(entity);
  const kind = entityKind(entity);
  switch (kind) {
    case 'key':
      return isFingerprint(name) ? `key ${name.slice(FINGERPRINT_HEAD, FINGERPRINT_HEAD + 8)}` : `key ${safeText(name, SHOWN_ID_MAX)}`;
    case 'user':
      return `user ${safeText(name, SHOWN_ID_MAX)}`;
    case 'client':
      return safeText(name);
    case 'network':
      return `network ${safeText(name, SHOWN_ID_MAX)}`;
    case 'refused':
      return 'refused credentials';
    case 'late':
      return 'more than two days late';
    default:
      return assertNever(kind);
  }
}

/** An inventory may also name clients, users and networks, by their whole entity id. */
function isKeyName(name: string): boolean {
  return !/^(?:client|user|network):/.test(name);
}

function parseEntity(id: string): EntityId {
  const colon = id.indexOf(':');
  const kind = id.slice(0, colon);
  const name = id.slice(colon + 1);
  return kind === 'client' || kind === 'user' || kind === 'network' ? entityId(kind, name) : entityId('key', id);
}

function namesOf(entry: KeyEntry): string[] {
  return [entry.id, entry.fingerprint].filter((name) => name !== undefined);
}

function pairs(names: readonly string[]): [string, string][] {
  const [first, second] = names;
  return first === undefined || second === undefined ? [] : [[first, second]];
}

/** [old, new] by name. A successor that is a label means the other keys of that label; anything else is taken as a name. */
function successionsOf(keys: readonly KeyEntry[]): [string, string][] {
  const listed = new Set(keys.flatMap(namesOf).filter(isKeyName));
  const byLabel = new Map<string, KeyEntry[]>();
  for (const entry of keys) if (entry.label !== undefined && namesOf(entry).length > 0) push(byLabel, entry.label, entry);
  const found: [string, string][] = [];
  for (const entry of keys) {
    const [from] = namesOf(entry);
    const { successor } = entry;
    if (from === undefined || successor === undefined || !isKeyName(from) || !isKeyName(successor)) continue;
    const labelled = listed.has(successor) ? [] : (byLabel.get(successor) ?? []);
    const targets = labelled.length === 0 ? [successor] : labelled.filter((other) => other !== entry).flatMap((other) => namesOf(other).slice(0, 1));
    for (const to of targets) if (to !== from) found.push([from, to]);
  }
  return found;
}

function push(map: Map<string, KeyEntry[]>, name: string, entry: KeyEntry): void {
  const entries = map.get(name);
  if (entries === undefined) map.set(name, [entry]);
  else entries.push(entry);
}

/** The first that says something about a level decides it. `enabled: false` switches off what is undecided by then, unless a nearer one said `enabled: true`. */
function layered(rule: string, overrides: readonly RuleOverrides[], defaults: RuleLimits): RuleLimits {
  let warning: number | null | undefined;
  let critical: number | null | undefined;
  let isEnabled = false;
  for (const rules of overrides) {
    const override = Object.hasOwn(rules, rule) ? rules[rule] : undefined;
    if (override === undefined) continue;
    isEnabled ||= override.enabled === true;
    const fallback = override.enabled === false && !isEnabled ? null : undefined;
    if (warning === undefined) warning = override.warning === undefined ? fallback : override.warning;
    if (critical === undefined) critical = override.critical === undefined ? fallback : override.critical;
  }
  return {
    warning: warning === undefined ? defaults.warning : (warning ?? undefined),
    critical: critical === undefined ? defaults.critical : (critical ?? undefined),
  };
}
