import { clfTime, nginxEscape, uriWithKey } from './clf.ts';
import { endUs, type LineFormat } from './format.ts';

/**
 * NGINX `combined`, its default:
 * `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`.
 * The time is the end of the request in whole seconds. With `keyParameter` clients send the key in the URL;
 * without it the line shows no key, and who it was is the address and the agent.
 */
export function combined(options: { readonly keyParameter?: string } = {}): LineFormat {
  const parameter = options.keyParameter;
  return {
    name: 'combined',
    write: (event, out) => {
      const uri = nginxEscape(uriWithKey(event.path, event.query, parameter, event.key));
      const agent = event.agent === '' ? '-' : nginxEscape(event.agent);
      out.text(`${event.address} - - [${clfTime(endUs(event) / 1000)}] "${event.method} ${uri} HTTP/1.1" ${event.status} ${event.bytesOut} "-" "${agent}"\n`);
    },
  };
}
