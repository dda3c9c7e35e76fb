import { isRefusedByGateway, jsonString, requestHeadBytes, requestId, RESPONSE_HEAD_BYTES, uriOf, type LineFormat } from './format.ts';
import type { SimulatedEvent } from '../event.ts';

/**
 * Kong 3.x, what `file-log` writes: lua-cjson, which escapes every slash as `\/`. `started_at` is the start of the
 * request in milliseconds, sizes are bytes on the wire with headers, latencies are milliseconds and `proxy` is -1
 * when the service was not asked. The raw key stands in `request.headers.apikey`; `authenticated_entity.id` is the
 * credential's public id and absent when the key was not recognised.
 */
export const kong: LineFormat = {
  name: 'kong',
  write: (event, out) => out.text(`${kongLine(event)}\n`),
};

function kongLine(event: SimulatedEvent): string {
  const id = requestId(event);
  const uri = cjson(uriOf(event));
  const isRefused = isRefusedByGateway(event.status);
  const total = Math.max(1, Math.round(event.durationUs / 1000));
  const own = Math.min(total, 1 + (event.nonce & 3));
  const service = event.route.split('/')[2] ?? 'api';
  return (
    `{"request":{"id":"${id}","method":"${event.method}","uri":${uri},"url":${cjson(`https://${event.host}:8443${uriOf(event)}`)},"querystring":${queryObject(event.query)},` +
    `"headers":{"host":${cjson(event.host)},"apikey":${cjson(event.key)},"user-agent":${cjson(event.agent)},"accept":"*\\/*"},"size":${requestHeadBytes(event) + event.bytesIn},` +
    `"tls":{"version":"TLSv1.3","cipher":"TLS_AES_256_GCM_SHA384","client_verify":"NONE"}},` +
    `"response":{"status":${event.status},"size":${event.status === 499 ? 0 : event.bytesOut + RESPONSE_HEAD_BYTES},"headers":{"content-type":"application\\/json","x-kong-request-id":"${id}"}},` +
    (isRefused
      ? `"latencies":{"kong":${total},"proxy":-1,"request":${total},"receive":0},`
      : `"upstream_uri":${uri},"upstream_status":"${event.status === 499 ? '' : event.status}","latencies":{"kong":${own},"proxy":${total - own},"request":${total},"receive":0},` +
        `"tries":[{"ip":"10.0.4.${1 + (event.nonce & 7)}","port":8080,"balancer_start":${event.at + 1},"balancer_latency":0}],`) +
    (event.credentialId === undefined
      ? ''
      : `"authenticated_entity":{"id":"${event.credentialId}"},"consumer":{"id":"${consumerId(event.credentialId)}","username":${cjson(event.consumer ?? '')}},`) +
    `"route":{"id":"${routeId(event.route)}","name":${cjson(routeName(event))},"paths":[${cjson(`/v1/${service}`)}]},"service":{"id":"${routeId(service)}","name":${cjson(service)}},` +
    `"client_ip":"${event.address}","started_at":${event.at},"source":"${isRefused ? 'kong' : 'upstream'}","workspace":"9f3d2b6e-5b1e-4a53-8a47-2f0f6c1d7e10","workspace_name":"default"}`
  );
}

/** As lua-cjson does: JSON with `/` as `\/` and DEL as `\u007f`. */
function cjson(text: string): string {
  const plain = jsonString(text);
  return plain.includes('/') || plain.includes('\u007f') ? plain.replaceAll('/', '\\/').replaceAll('\u007f', '\\u007f') : plain;
}

/** Kong decodes the arguments; one without a value is `true`. */
function queryObject(query: string): string {
  if (query === '') return '{}';
  const members = query.split('&').map((pair) => {
    const [name = '', value] = pair.split('=');
    return `${cjson(name)}:${value === undefined ? 'true' : cjson(decodeURIComponent(value.replaceAll('+', ' ')))}`;
  });
  return `{${members.join(',')}}`;
}

/** Consumer ids are UUIDs of their own; one credential has one consumer here. */
function consumerId(credentialId: string): string {
  return `c${credentialId.slice(1)}`;
}

const routeIds = new Map<string, string>();

/** A UUID per route, from its text. */
function routeId(route: string): string {
  const known = routeIds.get(route);
  if (known !== undefined) return known;
  let hash = 0x811c9dc5;
  let hex = '';
  for (let round = 0; hex.length < 32; round++) {
    for (const character of `${round}${route}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
    hex += hash.toString(16).padStart(8, '0');
  }
  const id = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  routeIds.set(route, id);
  return id;
}

/** `orders-id-get` for GET /v1/orders/{id}. */
function routeName(event: SimulatedEvent): string {
  return `${event.route.slice(4).replaceAll(/[{}]/g, '').replaceAll('/', '-')}-${event.method.toLowerCase()}`;
}
