import { endUs, isRefusedByGateway, requestHeadBytes, requestId, RESPONSE_HEAD_BYTES, type LineFormat } from './format.ts';

/**
 * NGINX with `log_format … escape=json`, every value in quotes as most published configurations have it:
 * `time` ($time_iso8601) and `msec` (seconds) are the end of the request, `request_length` and `bytes_sent` are
 * bytes on the wire, `body_bytes_sent` is the body, `request_time` is in seconds with milliseconds, `api_key`
 * is $http_x_api_key and holds the raw key.
 */
export const nginxJson: LineFormat = {
  name: 'nginx-json',
  write: (event, out) => {
    const ended = Math.floor(endUs(event) / 1000);
    const seconds = (event.durationUs / 1_000_000).toFixed(3);
    const upstream = isRefusedByGateway(event.status) ? '-' : seconds;
    out.text(
      `{"time":"${isoTime(ended)}","msec":"${(ended / 1000).toFixed(3)}","remote_addr":"${event.address}","request_id":"${requestId(event)}","method":"${event.method}","uri":"${escapeJson(event.path)}","args":"${escapeJson(event.query)}","status":"${event.status}","request_length":"${requestHeadBytes(event) + event.bytesIn}","bytes_sent":"${event.status === 499 ? 0 : event.bytesOut + RESPONSE_HEAD_BYTES}","body_bytes_sent":"${event.bytesOut}","request_time":"${seconds}","upstream_response_time":"${upstream}","api_key":"${escapeJson(event.key)}","user_agent":"${escapeJson(event.agent)}"}\n`,
    );
  },
};

let cachedSecond = -1;
let cachedText = '';

/** `2025-12-30T09:34:00+00:00`. */
function isoTime(time: number): string {
  const second = Math.floor(time / 1000);
  if (second === cachedSecond) return cachedText;
  cachedSecond = second;
  cachedText = `${new Date(second * 1000).toISOString().slice(0, 19)}+00:00`;
  return cachedText;
}

// Control characters are what this looks for.
// oxlint-disable-next-line no-control-regex
const UNSAFE = /["\\\u0000-\u001f]/g;
const SHORT: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\b': '\\b', '\f': '\\f' };

/** ngx_escape_json: two-character escapes where JSON has them, else `\u00HH` in upper case; other bytes raw. */
function escapeJson(text: string): string {
  return text.replace(UNSAFE, (character) => SHORT[character] ?? `\\u00${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}
