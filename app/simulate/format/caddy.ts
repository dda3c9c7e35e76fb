import { endUs, jsonString, uriOf, type LineFormat } from './format.ts';

/**
 * Caddy 2 JSON access log: `ts` is the end of the request and `duration` its length, both in seconds as floating
 * point numbers; `bytes_read` and `size` are body bytes. Headers are arrays; `X-Api-Key` holds the raw key, only
 * Authorization and cookies are masked. Caddy knows no credential id.
 */
export const caddy: LineFormat = {
  name: 'caddy',
  write: (event, out) => {
    const ended = endUs(event);
    const agent = event.agent === '' ? '' : `"User-Agent":[${jsonString(event.agent)}],`;
    out.text(
      `{"level":"info","ts":${ended / 1_000_000},"logger":"http.log.access.log0","msg":"handled request","request":{"remote_ip":"${event.address}","remote_port":"${1024 + (event.nonce % 64_000)}","client_ip":"${event.address}","proto":"HTTP/2.0","method":"${event.method}","host":${jsonString(event.host)},"uri":${jsonString(uriOf(event))},"headers":{${agent}"Accept":["*/*"],"X-Api-Key":[${jsonString(event.key)}]},"tls":{"resumed":false,"version":772,"cipher_suite":4865,"proto":"h2","server_name":${jsonString(event.host)},"ech":false}},"bytes_read":${event.bytesIn},"user_id":"","duration":${event.durationUs / 1_000_000},"size":${event.bytesOut},"status":${event.status},"resp_headers":${responseHeaders(event.status, event.bytesOut, ended / 1000)}}\n`,
    );
  },
};

let cachedSecond = -1;
let cachedDate = '';

function responseHeaders(status: number, bytesOut: number, ended: number): string {
  if (status === 499) return '{"Server":["Caddy"]}';
  const second = Math.floor(ended / 1000);
  if (second !== cachedSecond) {
    cachedSecond = second;
    cachedDate = new Date(second * 1000).toUTCString();
  }
  return `{"Via":["1.1 Caddy"],"Content-Type":["application/json"],"Content-Length":["${bytesOut}"],"Date":["${cachedDate}"]}`;
}
