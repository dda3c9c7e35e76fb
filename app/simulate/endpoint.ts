import type { Random } from './random.ts';

/** One operation of the simulated API. */
export type Endpoint = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** The template; each placeholder says what kind of id stands there. */
  readonly route: string;
  /** Between the placeholders; one more part than there are ids. */
  readonly parts: readonly string[];
  readonly ids: readonly IdKind[];
  readonly query: (random: Random) => string;
  /** Status of a success. */
  readonly status: number;
  /** Share of an average key's requests. */
  readonly weight: number;
  readonly durationMedianUs: number;
  /** Body bytes, log-normal: median and spread. */
  readonly out: readonly [median: number, sigma: number];
  readonly in: readonly [median: number, sigma: number];
};

type IdKind = 'number' | 'uuid';

const none = (): string => '';

/** A small shop: orders, customers, invoices, search, exports and a health check. */
export const ENDPOINTS: readonly Endpoint[] = [
  endpoint({ method: 'GET', route: '/v1/orders/{id}', weight: 34, durationMedianUs: 18_000, out: [1_500, 0.5] }),
  endpoint({
    method: 'GET',
    route: '/v1/orders',
    weight: 12,
    durationMedianUs: 42_000,
    out: [9_000, 0.6],
    query: (random) => `page=${random.between(1, 40)}&per_page=50`,
  }),
  endpoint({ method: 'GET', route: '/v1/customers/{id}', weight: 16, durationMedianUs: 15_000, out: [900, 0.4] }),
  endpoint({ method: 'GET', route: '/v1/customers/{id}/orders', weight: 8, durationMedianUs: 35_000, out: [6_000, 0.7] }),
  endpoint({ method: 'GET', route: '/v1/invoices/{uuid}', weight: 7, durationMedianUs: 22_000, out: [2_400, 0.5] }),
  endpoint({
    method: 'GET',
    route: '/v1/products',
    weight: 5,
    durationMedianUs: 55_000,
    out: [12_000, 0.5],
    query: (random) => `q=${random.pick(TERMS)}&sort=-price`,
  }),
  endpoint({ method: 'GET', route: '/v1/status', weight: 4, durationMedianUs: 1_500, out: [64, 0.1] }),
  endpoint({ method: 'POST', route: '/v1/orders', weight: 6, durationMedianUs: 60_000, out: [700, 0.3], in: [1_100, 0.6], status: 201 }),
  endpoint({ method: 'PATCH', route: '/v1/orders/{id}', weight: 3, durationMedianUs: 38_000, out: [1_400, 0.4], in: [320, 0.5] }),
  endpoint({ method: 'PUT', route: '/v1/customers/{id}', weight: 2, durationMedianUs: 33_000, out: [900, 0.4], in: [800, 0.5] }),
  endpoint({ method: 'POST', route: '/v1/events', weight: 2, durationMedianUs: 6_000, out: [0, 0], in: [2_600, 0.8], status: 202 }),
  endpoint({ method: 'DELETE', route: '/v1/carts/{uuid}', weight: 0.6, durationMedianUs: 12_000, out: [0, 0], status: 204 }),
  endpoint({ method: 'GET', route: '/v1/exports/{id}/download', weight: 0.4, durationMedianUs: 400_000, out: [60_000, 0.6] }),
];

const TERMS = ['lamp', 'desk', 'blue%20shoes', 'usb-c', 'kettle', 'tent', 'hdmi%20cable', 'chair', 'notebook', 'backpack'];

/** An operation from its template; ids follow from the placeholders. */
export function endpoint(
  given: Pick<Endpoint, 'method' | 'route' | 'weight' | 'durationMedianUs' | 'out'> & Partial<Pick<Endpoint, 'query' | 'in' | 'status'>>,
): Endpoint {
  const ids = [...given.route.matchAll(/\{(id|uuid)\}/g)].map((match): IdKind => (match[1] === 'uuid' ? 'uuid' : 'number'));
  return {
    method: given.method,
    route: given.route.replaceAll('{uuid}', '{id}'),
    parts: given.route.split(/\{(?:id|uuid)\}/),
    ids,
    query: given.query ?? none,
    status: given.status ?? 200,
    weight: given.weight,
    durationMedianUs: given.durationMedianUs,
    out: given.out,
    in: given.in ?? [0, 0],
  };
}

/** A path with ids of the customer `owner`: each customer has objects of its own, the first ones asked for most. */
export function pathOf(endpoint: Endpoint, owner: number, random: Random): string {
  let path = endpoint.parts[0] ?? '';
  for (let i = 0; i < endpoint.ids.length; i++) {
    path += endpoint.ids[i] === 'uuid' ? random.uuid() : String(objectId(owner, random));
    path += endpoint.parts[i + 1] ?? '';
  }
  return path;
}

const OBJECTS_PER_OWNER = 400;

function objectId(owner: number, random: Random): number {
  const share = random.unit();
  return 10_000 + ((owner * 7_919) % 90_000) + Math.floor(share * share * OBJECTS_PER_OWNER);
}
