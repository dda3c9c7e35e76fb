import { Random } from './random.ts';

export const PLANS = ['free', 'growth', 'enterprise'] as const;
export type PlanName = (typeof PLANS)[number];

/** A program that uses a key, from one address. */
export type SimulatedClient = { readonly address: string; readonly agent: string };

/**
 * When a key is used. steady: machines, day and night · office: people, Monday to Friday ·
 * nightly: batch jobs between 1 and 5 UTC
 */
export type Rhythm = 'steady' | 'office' | 'nightly';

export type SimulatedKey = {
  readonly index: number;
  /** Invented for the simulation and valid nowhere. */
  readonly secret: string;
  /** A UUID, as Kong gives to a credential. */
  readonly credentialId: string;
  /** The customer's name and what people call the key: `acme-mobile`. */
  readonly consumer: string;
  readonly plan: PlanName;
  readonly rhythm: Rhythm;
  /** The first is used most. */
  readonly clients: readonly SimulatedClient[];
  /** How fast this customer's requests are answered, 1 is usual. */
  readonly latencyFactor: number;
};

export type PopulationOptions = {
  readonly seed: number;
  readonly keys: number;
  /** 1 makes (address, agent) name the key: for formats that carry no key. */
  readonly clientsPerKeyMax?: number;
  readonly secretPrefix?: string;
  /** Characters after the prefix. */
  readonly secretLength?: number;
  readonly agents?: readonly string[];
};

/** The customers. A key is made when it is first asked for and depends on the seed and its index only. */
export class Population {
  readonly size: number;
  readonly #options: Required<PopulationOptions>;
  readonly #keys = new Map<number, SimulatedKey>();

  constructor(options: PopulationOptions) {
    this.size = options.keys;
    this.#options = { clientsPerKeyMax: 4, secretPrefix: 'kw_live_', secretLength: 24, agents: AGENTS, ...options };
  }

  key(index: number): SimulatedKey {
    const known = this.#keys.get(index);
    if (known !== undefined) return known;
    const made = this.#make(index);
    this.#keys.set(index, made);
    return made;
  }

  /** All of them, in order of popularity. */
  all(): readonly SimulatedKey[] {
    return Array.from({ length: this.size }, (_, index) => this.key(index));
  }

  #make(index: number): SimulatedKey {
    const options = this.#options;
    const random = new Random(options.seed, `key ${index}`);
    const rhythm = random.unit();
    return {
      index,
      secret: options.secretPrefix + random.base62(options.secretLength),
      credentialId: random.uuid(),
      consumer: consumerName(index),
      plan: PLANS[Math.min(2, random.below(4))] ?? 'free',
      rhythm: rhythm < 0.55 ? 'steady' : rhythm < 0.92 ? 'office' : 'nightly',
      clients: makeClients(index, options, random),
      latencyFactor: random.logNormal(1, 0.25),
    };
  }
}

const AGENTS = [
  'acme-sdk/2.4.1',
  'python-requests/2.32.3',
  'curl/8.5.0',
  'okhttp/4.12.0',
  'Go-http-client/2.0',
  'axios/1.7.2',
  'Java/17.0.11',
  'PostmanRuntime/7.39.0',
  'Ruby',
  'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
];

/** Addresses below are of 198.18.0.0/15 (benchmarks), 10.0.0.0/8 and 2001:db8::/32 (documentation): nobody's. */
function makeClients(index: number, options: Required<PopulationOptions>, random: Random): readonly SimulatedClient[] {
  const count = Math.min(options.clientsPerKeyMax, 1 + Math.floor(random.unit() ** 2 * options.clientsPerKeyMax));
  const agents = [random.pick(options.agents), random.pick(options.agents)];
  const clients: SimulatedClient[] = [];
  for (let i = 0; i < count; i++) {
    // A customer's last client is sometimes on IPv6: a second network of the same key.
    const isIpv6 = i > 0 && i === count - 1 && random.unit() < 0.3;
    clients.push({
      address: isIpv6 ? `2001:db8:${(index + 1).toString(16)}::${(i + 1).toString(16)}` : ipv4(index, i, options.keys),
      agent: agents[i % 2] ?? '',
    });
  }
  return clients;
}

const HOSTS_PER_KEY = 8;

/** Up to 256 keys have a /24 each; more share them, in blocks of eight addresses; over 8,192 keys the blocks are in 10.0.0.0/8. */
function ipv4(index: number, client: number, keys: number): string {
  if (keys <= 256) return `198.18.${index}.${10 + client}`;
  const host = index * HOSTS_PER_KEY + client;
  if (keys * HOSTS_PER_KEY <= 65_536) return `198.18.${host >>> 8}.${host & 255}`;
  return `10.${(host >>> 16) & 255}.${(host >>> 8) & 255}.${host & 255}`;
}

const FIRMS = [
  'acme',
  'northwind',
  'globex',
  'initech',
  'umbra',
  'hooli',
  'contoso',
  'fabrikam',
  'tailspin',
  'wingtip',
  'litware',
  'proseware',
  'adatum',
  'trey',
  'lucerne',
  'margie',
];
const USES = ['mobile', 'billing', 'web', 'etl', 'partner', 'crm', 'pos', 'reports', 'sync', 'search', 'fulfil', 'loyalty', 'risk'];

function consumerName(index: number): string {
  const name = `${FIRMS[index % FIRMS.length] ?? ''}-${USES[index % USES.length] ?? ''}`;
  const round = Math.floor(index / (FIRMS.length * USES.length));
  return round === 0 ? name : `${name}-${round + 1}`;
}
