import { assertNever, type EpochMs } from '../../core/types.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../core/window.ts';
import { ENDPOINTS, pathOf, type Endpoint } from './endpoint.ts';
import type { SimulatedEvent } from './event.ts';
import type { Population, Rhythm, SimulatedClient, SimulatedKey } from './population.ts';
import { Random, WeightedSampler, zipfWeights } from './random.ts';

export type TrafficOptions = {
  readonly seed: number;
  readonly start: EpochMs;
  /** No event at or after it; without it the stream never ends. */
  readonly end?: EpochMs;
  /** Over all keys, on average at the busiest hour. */
  readonly eventsPerMinute: number;
  /** The k-th most popular key makes 1 / k^exponent of what the first one makes. 1 unless told. */
  readonly zipfExponent?: number;
  /** flat: the same all day · office: each key by its own rhythm over the hours of the week. */
  readonly shape?: 'flat' | 'office';
  readonly host?: string;
};

/**
 * Ordinary traffic of many keys, in time order: a Poisson process whose rate follows the hours of the week.
 * The same options give the same events. It stays within the shipped limits by construction (see
 * `ERROR_GAP` and `DENIED_GAP_MS`), so that an alert outside an attack is a false one and not bad luck of the dice.
 */
export class Traffic {
  readonly population: Population;
  readonly #random: Random;
  readonly #sampler: WeightedSampler;
  readonly #meanGapMs: number;
  readonly #end: EpochMs;
  readonly #isFlat: boolean;
  readonly #host: string;
  #time: number;
  readonly #sinceError: Uint16Array;
  readonly #lastDenied: Float64Array;

  constructor(population: Population, options: TrafficOptions) {
    this.population = population;
    this.#random = new Random(options.seed, 'traffic');
    this.#sampler = new WeightedSampler(zipfWeights(population.size, options.zipfExponent ?? 1));
    this.#meanGapMs = MINUTE_MS / options.eventsPerMinute;
    this.#end = options.end ?? Number.POSITIVE_INFINITY;
    this.#isFlat = options.shape !== 'office';
    this.#host = options.host ?? 'api.example.test';
    this.#time = options.start;
    this.#sinceError = new Uint16Array(population.size);
    this.#lastDenied = new Float64Array(population.size).fill(Number.NEGATIVE_INFINITY);
  }

  /** The next event, or undefined when `end` is reached. */
  next(): SimulatedEvent | undefined {
    const random = this.#random;
    for (;;) {
      this.#time += random.exponential(this.#meanGapMs);
      const at = Math.floor(this.#time);
      if (at >= this.#end) return undefined;
      const key = this.population.key(this.#sampler.draw(random));
      // Thinning: a candidate at the peak rate is kept with the probability that the hour has.
      if (!this.#isFlat && random.unit() >= activity(key.rhythm, at)) continue;
      return this.#event(key, at);
    }
  }

  *[Symbol.iterator](): Iterator<SimulatedEvent> {
    for (let event = this.next(); event !== undefined; event = this.next()) yield event;
  }

  #event(key: SimulatedKey, at: EpochMs): SimulatedEvent {
    const random = this.#random;
    const endpoint = drawEndpoint(random);
    const status = this.#status(key, endpoint, at);
    return eventOf({ at, key, client: drawClient(key, random), endpoint, status, host: this.#host, random });
  }

  #status(key: SimulatedKey, endpoint: Endpoint, at: EpochMs): number {
    const dice = this.#random.unit();
    const since = this.#sinceError[key.index] ?? 0;
    if (dice >= 0.04) {
      if (since < 65_535) this.#sinceError[key.index] = since + 1;
      return endpoint.status;
    }
    if (dice < ERROR_SHARE && since >= ERROR_GAP) {
      this.#sinceError[key.index] = 0;
      return this.#random.pick(ERROR_STATUSES);
    }
    if (dice > 0.006 && dice < 0.0075) return 499;
    if (dice > 0.0075 && dice < 0.009) return 429;
    if (dice > 0.009 && dice < 0.0094 && at - (this.#lastDenied[key.index] ?? 0) >= DENIED_GAP_MS) {
      this.#lastDenied[key.index] = at;
      return dice < 0.0093 ? 403 : 401;
    }
    return endpoint.method === 'GET' && dice > 0.015 ? 304 : endpoint.status;
  }
}

/** Chance of an error (4xx or 5xx other than 401, 403 and 429). */
const ERROR_SHARE = 0.005;
/**
 * Requests of a key between two errors, at least: a well-behaved client backs off after one. With 40 no
 * stretch of 50 requests or more has over 5 % errors.
 */
const ERROR_GAP = 40;
/** Between two refusals (401, 403) of a key, at least: two an hour are far from the limit of ten. */
const DENIED_GAP_MS = 30 * MINUTE_MS;
const ERROR_STATUSES = [404, 404, 404, 404, 404, 400, 400, 422, 500, 503];

const ENDPOINT_SAMPLER = new WeightedSampler(ENDPOINTS.map((endpoint) => endpoint.weight));

function drawEndpoint(random: Random): Endpoint {
  const endpoint = ENDPOINTS[ENDPOINT_SAMPLER.draw(random)];
  if (endpoint === undefined) throw new RangeError('BUG: the sampler left its table');
  return endpoint;
}

/** The first client makes most requests. */
export function drawClient(key: SimulatedKey, random: Random): SimulatedClient {
  const client = key.clients[Math.floor(random.unit() ** 2 * key.clients.length)];
  if (client === undefined) throw new RangeError('BUG: a key without clients');
  return client;
}

/** What one request looks like once it is known who asked for what and how it ended. */
export function eventOf(given: {
  readonly at: EpochMs;
  readonly key: SimulatedKey;
  readonly client: SimulatedClient;
  readonly endpoint: Endpoint;
  readonly status: number;
  readonly host: string;
  readonly random: Random;
}): SimulatedEvent {
  const { key, endpoint, status, random } = given;
  const isAnswered = status >= 200 && status < 300;
  // The gateway refuses before it asks the service: fast, and with a short body.
  const isRefused = status === 401 || status === 403 || status === 429;
  const duration = random.logNormal(isRefused ? 700 : endpoint.durationMedianUs * key.latencyFactor, 0.5);
  return {
    at: given.at,
    key: key.secret,
    credentialId: status === 401 ? undefined : key.credentialId,
    consumer: status === 401 ? undefined : key.consumer,
    address: given.client.address,
    method: endpoint.method,
    path: pathOf(endpoint, key.index, random),
    query: endpoint.query(random),
    status,
    bytesIn: endpoint.in[0] === 0 ? 0 : Math.round(random.logNormal(endpoint.in[0], endpoint.in[1])),
    bytesOut: isAnswered ? (endpoint.out[0] === 0 ? 0 : Math.round(random.logNormal(endpoint.out[0], endpoint.out[1]))) : (ERROR_BODY_BYTES[status] ?? 48),
    durationUs: Math.max(120, Math.round(duration)),
    agent: given.client.agent,
    route: endpoint.route,
    host: given.host,
    nonce: random.uint32(),
  };
}

const ERROR_BODY_BYTES: Readonly<Record<number, number>> = { 304: 0, 400: 58, 401: 23, 403: 34, 404: 21, 422: 96, 429: 37, 499: 0, 500: 42, 503: 41 };

/** How busy a rhythm is at a time, 0..1. Hours are UTC. */
export function activity(rhythm: Rhythm, at: EpochMs): number {
  const hour = Math.floor(at / HOUR_MS) % 24;
  // 1970-01-01 was a Thursday.
  const weekday = (Math.floor(at / DAY_MS) + 4) % 7;
  switch (rhythm) {
    case 'steady':
      return 0.8 + 0.2 * Math.cos(((hour - 14) / 12) * Math.PI);
    case 'office': {
      const isWeekend = weekday === 0 || weekday === 6;
      const day = hour < 7 || hour > 19 ? 0.08 : 0.35 + 0.65 * Math.sin(((hour - 6) / 14) * Math.PI);
      return isWeekend ? day * 0.15 : day;
    }
    case 'nightly':
      return hour >= 1 && hour < 5 ? 1 : 0.02;
    default:
      return assertNever(rhythm);
  }
}
