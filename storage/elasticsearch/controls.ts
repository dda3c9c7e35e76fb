import { createHash } from 'node:crypto';
import { ElasticsearchFault, isConflict, isMissing } from './fault.ts';
import type { CallOptions, Elasticsearch } from './client.ts';

/** A document with what a compare-and-set needs. */
export type Versioned<T> = { readonly source: T; readonly seqNo: number; readonly primaryTerm: number };
/** What must be stored for a write to happen: this very version of the document, or none at all. */
export type Expected = { readonly seqNo: number; readonly primaryTerm: number } | 'absent';

const ID_CHARS_MAX = 300;
const REGISTRY = 'registry';
const TICKET = 'ticket';

type RegistrySource = { readonly names?: readonly string[] };

/** The small documents that all processes share: values, the numbers of sources, tickets. Reads see every write at once. */
export class Controls {
  readonly index: string;
  readonly #elasticsearch: Elasticsearch;
  readonly #sources = new Map<string, number>();

  constructor(elasticsearch: Elasticsearch, index: string) {
    this.#elasticsearch = elasticsearch;
    this.index = index;
  }

  async value(name: string): Promise<string | undefined> {
    const found = await this.get<{ readonly value?: string }>(valueId(name));
    return found?.source.value;
  }

  async setValue(name: string, value: string): Promise<void> {
    await this.#elasticsearch.call(`storing control value ${name}`, (client, options) =>
      client.index({ index: this.index, id: valueId(name), document: { kind: 'value', name, value } }, options),
    );
  }

  /** The first one wins, for ever. */
  async claim(name: string, value: string): Promise<string> {
    await this.put(valueId(name), { kind: 'value', name, value }, 'absent');
    const stored = await this.value(name);
    if (stored === undefined)
      throw new ElasticsearchFault(`elasticsearch: control value ${name} was claimed and is gone; who deletes from ${this.index}`, { isRetryable: true });
    return stored;
  }

  /** The number of a source: its place in the list of all names, which only grows. */
  async source(name: string): Promise<number> {
    for (;;) {
      const known = this.#sources.get(name);
      if (known !== undefined) return known;
      const stored = await this.get<RegistrySource>(REGISTRY);
      const names = stored?.source.names ?? [];
      names.forEach((each, place) => this.#sources.set(each, place + 1));
      if (names.includes(name)) continue;
      // Whoever loses the race reads again: somebody may have added this very name.
      await this.put(REGISTRY, { kind: 'registry', names: [...names, name] }, stored ?? 'absent');
    }
  }

  /** Names of sources; the number of each is its place plus one. */
  async sourceNames(): Promise<readonly string[]> {
    return (await this.get<RegistrySource>(REGISTRY))?.source.names ?? [];
  }

  /** A number that grows with every call, in whatever process. */
  async ticket(): Promise<number> {
    const answer = await this.#elasticsearch.call('taking a ticket', (client, options) =>
      client.index({ index: this.index, id: TICKET, document: { kind: 'ticket' } }, options),
    );
    return answer._version;
  }

  async get<T>(id: string): Promise<Versioned<T> | undefined> {
    return getDocument<T>(this.#elasticsearch, { index: this.index, id });
  }

  /** Writes if what is stored is `expected`; false when it is not. A write whose answer was lost may say false although it happened. */
  async put(id: string, document: object, expected: Expected): Promise<boolean> {
    return putDocument(this.#elasticsearch, { index: this.index, id, document, expected });
  }
}

export async function getDocument<T>(elasticsearch: Elasticsearch, place: { readonly index: string; readonly id: string }): Promise<Versioned<T> | undefined> {
  try {
    const answer = await elasticsearch.call(`reading document ${place.id} of ${place.index}`, (client, options) =>
      client.get<T>({ ...place, realtime: true }, options),
    );
    if (answer._source === undefined || answer._seq_no === undefined || answer._primary_term === undefined) return undefined;
    return { source: answer._source, seqNo: answer._seq_no, primaryTerm: answer._primary_term };
  } catch (error) {
    if (!isMissing(error)) throw error;
    if (error instanceof ElasticsearchFault && error.type === 'index_not_found_exception') throw error;
    return undefined;
  }
}

export async function putDocument(
  elasticsearch: Elasticsearch,
  write: { readonly index: string; readonly id: string; readonly document: object; readonly expected: Expected },
  call: CallOptions = {},
): Promise<boolean> {
  const { index, id, document, expected } = write;
  const condition = expected === 'absent' ? ({ op_type: 'create' } as const) : { if_seq_no: expected.seqNo, if_primary_term: expected.primaryTerm };
  try {
    await elasticsearch.call(`writing document ${id} of ${index}`, (client, options) => client.index({ index, id, document, ...condition }, options), call);
    return true;
  } catch (error) {
    if (isConflict(error)) return false;
    throw error;
  }
}

function valueId(name: string): string {
  return name.length <= ID_CHARS_MAX ? `value.${name}` : `value.~${createHash('sha256').update(name).digest('hex')}`;
}
