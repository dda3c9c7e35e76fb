/** What is asked of Elasticsearch without Keywatch: what it holds, and what that costs. */

async function ask(node: string, method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`${node}/${path}`, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(600_000),
  });
  const text = await response.text();
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 500)}`);
  return text === '' ? undefined : JSON.parse(text);
}

/** Where the chain of every partition ends in the store. */
export async function headsOf(node: string, prefix: string): Promise<ReadonlyMap<number, number>> {
  await ask(node, 'POST', `${prefix}-segment/_refresh`);
  const answer = (await ask(node, 'POST', `${prefix}-segment/_search`, {
    size: 0,
    query: { term: { kind: 'head' } },
    aggs: { p: { terms: { field: 'p', size: 1000 }, aggs: { next: { max: { field: 'next' } } } } },
  })) as { aggregations?: { p: { buckets: readonly { key: number; next: { value: number } }[] } } } | undefined;
  return new Map((answer?.aggregations?.p.buckets ?? []).map(({ key, next }) => [key, next.value]));
}

export type Documents = {
  /** That are there. */
  readonly documents: number;
  /** Written, with those that were written again. */
  readonly writes: number;
  /** After a merge into one segment. */
  readonly bytesPerDocument: number;
};

/** What a run left in the indices that `pattern` names. */
export async function documentsIn(node: string, pattern: string): Promise<Documents> {
  await ask(node, 'POST', `${pattern}/_refresh`);
  await ask(node, 'POST', `${pattern}/_forcemerge?max_num_segments=1`);
  await ask(node, 'POST', `${pattern}/_flush`);
  const stats = (await ask(node, 'GET', `${pattern}/_stats/docs,store,indexing`)) as {
    _all: { primaries: { docs: { count: number }; store: { size_in_bytes: number }; indexing: { index_total: number } } };
  };
  const { docs, store, indexing } = stats._all.primaries;
  return { documents: docs.count, writes: indexing.index_total, bytesPerDocument: store.size_in_bytes / docs.count };
}

export async function createIndex(node: string, index: string, body: object): Promise<void> {
  await ask(node, 'PUT', index, body);
}

export async function sumsIn(node: string, index: string, fields: readonly string[]): Promise<Readonly<Record<string, number>>> {
  await ask(node, 'POST', `${index}/_refresh`);
  const aggs = Object.fromEntries(fields.map((field) => [field, { sum: { field } }]));
  const answer = (await ask(node, 'POST', `${index}/_search`, { size: 0, aggs })) as { aggregations: Readonly<Record<string, { value: number }>> };
  return Object.fromEntries(fields.map((field) => [field, answer.aggregations[field]?.value ?? Number.NaN]));
}

/** Indices and templates of a prefix. */
export async function deleteIndices(node: string, prefix: string): Promise<void> {
  await ask(node, 'DELETE', `${prefix}-*?expand_wildcards=all`);
  await ask(node, 'DELETE', `_index_template/${prefix}-*`);
}
