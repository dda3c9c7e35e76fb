/** One setting that is not as it should be. `undefined` is absent. */
export type Difference = { readonly path: string; readonly wanted: string | undefined; readonly installed: string | undefined };

/**
 * Compares by path, in the spelling of the server: it gives numbers and booleans back as texts, and
 * `{index: {codec}}` for `index.codec`. With `isSubset` what is installed beyond `wanted` is no difference.
 */
export function differences(wanted: unknown, installed: unknown, options: { readonly isSubset: boolean } = { isSubset: false }): readonly Difference[] {
  const [want, have] = [flatten(wanted), flatten(installed)];
  const paths = new Set([...want.keys(), ...(options.isSubset ? [] : have.keys())]);
  return [...paths]
    .filter((path) => want.get(path) !== have.get(path))
    .sort()
    .map((path) => ({ path, wanted: want.get(path), installed: have.get(path) }));
}

function flatten(value: unknown, path = '', into = new Map<string, string>()): ReadonlyMap<string, string> {
  if (value === undefined) return into;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const members = Object.entries(value);
    if (members.length === 0 && path !== '') into.set(path, '{}');
    for (const [name, member] of members) flatten(member, path === '' ? name : `${path}.${name}`, into);
    return into;
  }
  into.set(path, Array.isArray(value) ? JSON.stringify(value.map(textOf)) : textOf(value));
  return into;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
