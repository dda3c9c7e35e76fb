/**
 * What a source can show, field by field, and so which rules are blind on it. A field is visible when the format
 * has a place for it, also where a single record leaves that place empty.
 */
export type VisibleField =
  /** The time is that of the start, or of the end, of a request; neither when the format leaves it open. */
  | 'time.start'
  | 'time.end'
  /** An API key or its public id in a place of its own; in combined logs only when one was seen in a query. */
  | 'credential'
  /** The key that a refused request tried. */
  | 'attempted'
  | 'user'
  | 'client'
  | 'method'
  | 'path'
  /** The gateway's own route template. */
  | 'route'
  | 'status'
  | 'bytesIn'
  | 'bytesOut'
  /** Sizes are known to leave headers out. */
  | 'bytes.body'
  | 'latency'
  | 'agent'
  /** Requests that the server could not parse leave a line as well. */
  | 'malformed';

const LINE: readonly VisibleField[] = ['user', 'client', 'method', 'path', 'status', 'bytesOut', 'bytes.body', 'malformed'];
const GATEWAY: readonly VisibleField[] = ['credential', 'attempted', 'user', 'client', 'method', 'path', 'status', 'bytesIn', 'bytesOut', 'latency', 'agent'];

/** Formats whose fields are fixed. Any other shows what was found in it: its fields are the operator's choice. */
const FIXED: ReadonlyMap<string, readonly VisibleField[]> = new Map<string, readonly VisibleField[]>([
  ['common', LINE],
  ['combined', [...LINE, 'agent']],
  ['kong', [...GATEWAY, 'time.start', 'route', 'malformed']],
  // Most of what Caddy refuses with 400 leaves no line (notes/gateways.md E8).
  ['caddy', [...GATEWAY, 'time.end', 'bytes.body']],
]);

/** The roles that parsing gives to fields (`ingest/parse/tokens.ts`), where they have another name here. */
const ROLE_FIELDS: Readonly<Record<string, readonly VisibleField[]>> = {
  address: ['client'],
  forwarded: ['client'],
  target: ['path'],
  secret: ['credential', 'attempted'],
  authorization: ['credential', 'attempted'],
  credentialId: ['credential'],
};

/**
 * What a source in `format` shows. `found` adds the fields or parser roles that were met in it: all there is to know
 * of flat JSON, and for line formats the key in the query.
 */
export function visibilityOf(format: string, found: Iterable<string> = []): ReadonlySet<string> {
  const visible = new Set<string>(FIXED.get(format) ?? ['malformed']);
  if (format === 'nginx-json') visible.add('time.end');
  for (const name of found) for (const field of ROLE_FIELDS[name] ?? [name]) visible.add(field);
  return visible;
}

/** What people and rules cannot learn from a source: a sentence per gap, the most important first. */
export function blindFor(visibility: ReadonlySet<string>): readonly string[] {
  const has = (field: VisibleField): boolean => visibility.has(field);
  const blind: string[] = [];
  if (!has('credential'))
    blind.push(
      `no API key field: ${has('path') ? 'a key is seen only where a query carries it, other requests are' : 'requests are'} counted ${owner(visibility)}`,
    );
  else if (!has('attempted')) blind.push('no key on refused requests: failed authentication is counted, but not how many keys were tried');
  if (!has('client')) blind.push('no client address: a shared key, a new network and guessing from one network stay unseen');
  if (!has('status')) blind.push('no status: errors and failed authentication stay unseen');
  if (!has('bytesIn') && !has('bytesOut')) blind.push('no sizes: data transfer is not judged');
  else if (!has('bytesIn')) blind.push('no request size: uploads are not counted, data transfer is judged on responses alone');
  else if (!has('bytesOut')) blind.push('no response size: downloads are not counted, data transfer is judged on requests alone');
  if (has('bytes.body')) blind.push('no header sizes: bytes are those of bodies, the line carried somewhat more');
  if (!has('latency'))
    blind.push(`no duration: slow answers stay unseen${has('time.start') ? '' : ', and a long request may count in the minute in which it ended'}`);
  if (!has('path') && !has('route')) blind.push('no path: endpoints and how they are walked through stay unseen');
  if (!has('method')) blind.push('no method: reads and writes are not told apart');
  if (!has('agent')) blind.push('no user agent: clients are told apart by address alone');
  if (!has('malformed')) blind.push('no malformed requests: the server logs few of those it refuses with 400, so errors are undercounted');
  return blind;
}

function owner(visibility: ReadonlySet<string>): string {
  const client = visibility.has('agent') ? 'client (address and user agent)' : 'client address';
  const owners = [...(visibility.has('user') ? ['user'] : []), ...(visibility.has('client') ? [client] : [])];
  return owners.length === 0 ? 'together' : `per ${owners.join(', else per ')}`;
}
