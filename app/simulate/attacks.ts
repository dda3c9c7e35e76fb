import type { DurationMs, EpochMs } from '../../core/types.ts';
import { MINUTE_MS } from '../../core/window.ts';
import { ENDPOINTS, endpoint, type Endpoint } from './endpoint.ts';
import type { SimulatedEvent } from './event.ts';
import type { Population, SimulatedClient, SimulatedKey } from './population.ts';
import { Random } from './random.ts';
import { eventOf } from './traffic.ts';

export const ATTACK_NAMES = ['brute-force', 'retry-storm', 'error-burst', 'leaked-key', 'bulk-download', 'slow-exfiltration'] as const;
export type AttackName = (typeof ATTACK_NAMES)[number];

/** A labelled attack: what was done to whom and when, and what should notice it. */
export type Attack = {
  readonly name: AttackName;
  readonly title: string;
  /** What happens, in one sentence. */
  readonly label: string;
  /** The first event is at or after it, the last one before `end`. */
  readonly start: EpochMs;
  readonly end: EpochMs;
  /** Rules of which at least one must raise an alert; empty when thresholds cannot see it. */
  readonly expectedRules: readonly string[];
  /** The keys and client networks that an alert about it may name. */
  readonly credentialIds: readonly string[];
  /** The names of those keys. */
  readonly labels: readonly string[];
  readonly networks: readonly string[];
  /** In time order. */
  readonly events: readonly SimulatedEvent[];
};

/** The ids of the shipped threshold rules (`detectors/threshold`). */
export const THRESHOLD_RULES = {
  requestRate: 'request_rate',
  errorRate: 'error_rate',
  dataTransfer: 'data_transfer',
  failedAuth: 'failed_auth',
  guessing: 'guessing',
} as const;

/** What a screen says of an attack without expected rules. */
export const NOT_VISIBLE = 'not visible to thresholds; later detectors';

/** The shortest stretch into which all six fit with time to be noticed. */
export const ATTACK_SPAN_MIN_MS: DurationMs = 30 * MINUTE_MS;

export type AttackOptions = { readonly seed: number; readonly population: Population; readonly start: EpochMs; readonly end: EpochMs; readonly host?: string };

/** What one attack is made with. */
type Scene = {
  readonly random: Random;
  readonly key: SimulatedKey;
  readonly client: SimulatedClient;
  readonly start: EpochMs;
  readonly end: EpochMs;
  readonly host: string;
  /** A foreign network, of the documentation ranges. */
  readonly network: string;
};

/** Six attacks on six keys, spread over [start, end), in order of their start. The same options give the same attacks. */
export function planAttacks(options: AttackOptions): readonly Attack[] {
  const span = options.end - options.start;
  if (span < ATTACK_SPAN_MIN_MS) throw new RangeError('BUG: the attacks need half an hour of event time');
  const random = new Random(options.seed, 'attacks');
  const victims = pickVictims(options.population, random);
  const [foreign, second] = random.unit() < 0.5 ? ['203.0.113', '198.51.100'] : ['198.51.100', '203.0.113'];
  const scene = (index: number, from: number, minutes: number | undefined, network: string): Scene => {
    const key = victims[index];
    const client = key?.clients[0];
    if (key === undefined || client === undefined) throw new RangeError('BUG: fewer victims than attacks');
    const start = Math.round(options.start + span * from);
    const end = minutes === undefined ? options.end : start + minutes * MINUTE_MS;
    return { random: new Random(options.seed, `attack ${index}`), key, client, start, end, host: options.host ?? 'api.example.test', network };
  };
  return [
    slowExfiltration(scene(5, 0.05, undefined, foreign)),
    bruteForce(scene(0, 0.08, 6, foreign)),
    retryStorm(scene(1, 0.2, 4, foreign)),
    errorBurst(scene(2, 0.34, 10, foreign)),
    leakedKey(scene(3, 0.47, 15, second)),
    bulkDownload(scene(4, 0.64, 9, foreign)),
  ];
}

/** Six different keys of the middle of the field: not the busiest, whose own traffic would hide an attack. */
function pickVictims(population: Population, random: Random): readonly SimulatedKey[] {
  const first = Math.floor(population.size / 6);
  if (population.size - first < ATTACK_NAMES.length) throw new RangeError('BUG: six attacks need at least eight keys');
  const indices = Array.from({ length: population.size - first }, (_, index) => first + index);
  return ATTACK_NAMES.map(() => population.key(indices.splice(random.below(indices.length), 1)[0] ?? 0));
}

const GUESSES_PER_MINUTE = 40;
const STOLEN_TRIES_PER_MINUTE = 15;

/** One network guesses keys (401, unknown to the gateway) and tries a stolen one on routes that it may not use (403). */
function bruteForce(scene: Scene): Attack {
  const { random, key } = scene;
  const client = (): SimulatedClient => ({ address: `${scene.network}.${random.between(20, 24)}`, agent: 'python-requests/2.31.0' });
  const admin = endpoint({ method: 'GET', route: '/v1/admin/users/{id}', weight: 0, durationMedianUs: 1_000, out: [34, 0] });
  const prefix = key.secret.slice(0, key.secret.lastIndexOf('_') + 1);
  const length = key.secret.length - prefix.length;
  const guesses = spread(scene, GUESSES_PER_MINUTE).map((at): SimulatedEvent => ({
    ...make(scene, at, client(), orders(), 401),
    key: prefix + random.base62(length),
  }));
  const tries = spread(scene, STOLEN_TRIES_PER_MINUTE).map((at) => make(scene, at, client(), admin, 403));
  return attack(scene, {
    name: 'brute-force',
    title: 'brute force',
    label: `${scene.network}.0/24 guesses ${guesses.length} keys and tries a stolen one ${tries.length} times on admin routes`,
    expectedRules: [THRESHOLD_RULES.failedAuth, THRESHOLD_RULES.guessing],
    networks: [`${scene.network}.0/24`],
    events: [...guesses, ...tries],
  });
}

const STORM_PER_MINUTE = 1_800;

/** A client whose timeout is shorter than the answer takes: it hangs up (499) and asks again at once. */
function retryStorm(scene: Scene): Attack {
  const listing = ENDPOINTS.find((candidate) => candidate.route === '/v1/orders' && candidate.method === 'GET') ?? orders();
  const events = spread(scene, STORM_PER_MINUTE).map((at) => make(scene, at, scene.client, listing, scene.random.unit() < 0.85 ? 499 : 200));
  return attack(scene, {
    name: 'retry-storm',
    title: 'retry storm',
    label: `a client with a too short timeout repeats its request ${STORM_PER_MINUTE.toLocaleString('en-US')} times a minute`,
    expectedRules: [THRESHOLD_RULES.requestRate],
    networks: [],
    events,
  });
}

const BURST_PER_MINUTE = 90;
const BURST_STATUSES = [400, 400, 400, 422, 404, 500];

/** A customer ships a broken version: nearly half of its requests are wrong. */
function errorBurst(scene: Scene): Attack {
  const { random } = scene;
  const events = spread(scene, BURST_PER_MINUTE).map((at) =>
    make(scene, at, scene.client, random.pick(ENDPOINTS.slice(0, 5)), random.unit() < 0.45 ? random.pick(BURST_STATUSES) : 200),
  );
  return attack(scene, {
    name: 'error-burst',
    title: 'error burst',
    label: 'a broken release sends requests of which nearly half fail',
    expectedRules: [THRESHOLD_RULES.errorRate],
    networks: [],
    events,
  });
}

const DOWNLOADS_PER_MINUTE = 24;
const DOWNLOAD_BYTES = 8 * 1024 * 1024;

/** Export after export, 8 MB each: over 1 GB within six minutes. */
function bulkDownload(scene: Scene): Attack {
  const download = endpoint({ method: 'GET', route: '/v1/exports/{id}/download', weight: 0, durationMedianUs: 900_000, out: [DOWNLOAD_BYTES, 0.1] });
  return attack(scene, {
    name: 'bulk-download',
    title: 'bulk download',
    label: `one key downloads ${DOWNLOADS_PER_MINUTE} exports of 8 MB a minute`,
    expectedRules: [THRESHOLD_RULES.dataTransfer],
    networks: [],
    events: spread(scene, DOWNLOADS_PER_MINUTE).map((at) => make(scene, at, scene.client, download, 200)),
  });
}

const LEAKED_PER_MINUTE = 6;

/** Somebody found a key and uses it with care, from a network where its owner never was. */
function leakedKey(scene: Scene): Attack {
  const { random } = scene;
  const thief: SimulatedClient = { address: `${scene.network}.${random.between(100, 199)}`, agent: 'curl/8.4.0' };
  const reads = ENDPOINTS.filter((candidate) => candidate.method === 'GET' && candidate.ids.length > 0 && !candidate.route.includes('exports'));
  return attack(scene, {
    name: 'leaked-key',
    title: 'leaked key used quietly',
    label: `a key is used ${LEAKED_PER_MINUTE} times a minute from ${scene.network}.0/24, where its owner never was`,
    expectedRules: [],
    networks: [`${scene.network}.0/24`],
    events: spread(scene, LEAKED_PER_MINUTE).map((at) => make(scene, at, thief, random.pick(reads), 200)),
  });
}

const EXFILTRATION_PER_MINUTE = 10;
const EXFILTRATION_BYTES = 440_000;

/** The customer list read from end to end at 250 MB an hour, half of what a warning needs, from the usual address. */
function slowExfiltration(scene: Scene): Attack {
  const first = scene.random.between(10_000, 60_000);
  const reading = endpoint({ method: 'GET', route: '/v1/customers/{id}/orders', weight: 0, durationMedianUs: 120_000, out: [EXFILTRATION_BYTES, 0.1] });
  const events = spread(scene, EXFILTRATION_PER_MINUTE).map((at, index): SimulatedEvent => ({
    ...make(scene, at, scene.client, reading, 200),
    path: `/v1/customers/${first + index}/orders`,
    query: 'per_page=500',
  }));
  return attack(scene, {
    name: 'slow-exfiltration',
    title: 'slow exfiltration',
    label: 'one key reads the customers one after the other at about 250 MB an hour, under every limit',
    expectedRules: [],
    networks: [],
    events,
  });
}

function orders(): Endpoint {
  const found = ENDPOINTS[0];
  if (found === undefined) throw new RangeError('BUG: no endpoints');
  return found;
}

/** Even steps with jitter, so that every full minute holds `perMinute` of them. */
function spread(scene: Scene, perMinute: number): readonly EpochMs[] {
  const step = MINUTE_MS / perMinute;
  const count = Math.floor((scene.end - scene.start) / step);
  return Array.from({ length: count }, (_, index) => Math.floor(scene.start + (index + scene.random.unit() * 0.9) * step));
}

function make(scene: Scene, at: EpochMs, client: SimulatedClient, used: Endpoint, status: number): SimulatedEvent {
  return eventOf({ at, key: scene.key, client, endpoint: used, status, host: scene.host, random: scene.random });
}

function attack(scene: Scene, given: Pick<Attack, 'name' | 'title' | 'label' | 'expectedRules' | 'networks' | 'events'>): Attack {
  return {
    ...given,
    start: scene.start,
    end: scene.end,
    credentialIds: [scene.key.credentialId],
    labels: [scene.key.consumer],
    events: [...given.events].sort((a, b) => a.at - b.at),
  };
}

/** Background and attacks as one stream in time order. Of equal times the background comes first. */
export function* withAttacks(background: Iterable<SimulatedEvent>, attacks: readonly Attack[]): Generator<SimulatedEvent> {
  const injected = attacks.flatMap((one) => one.events).sort((a, b) => a.at - b.at);
  let next = 0;
  for (const event of background) {
    for (let due = injected[next]; due !== undefined && due.at < event.at; due = injected[++next]) yield due;
    yield event;
  }
  yield* injected.slice(next);
}
