import { clfTime, httpdEscape, uriWithKey } from './clf.ts';
import type { LineFormat } from './format.ts';

/**
 * Apache httpd `common`: `%h %l %u %t "%r" %>s %b`. The time is the start of the request in whole seconds, and
 * no body is written as `-`. There is no agent. `keyParameter` as in `combined`.
 */
export function common(options: { readonly keyParameter?: string } = {}): LineFormat {
  const parameter = options.keyParameter;
  return {
    name: 'common',
    write: (event, out) => {
      const uri = httpdEscape(uriWithKey(event.path, event.query, parameter, event.key));
      out.text(
        `${event.address} - - [${clfTime(event.at)}] "${event.method} ${uri} HTTP/1.1" ${event.status} ${event.bytesOut === 0 ? '-' : event.bytesOut}\n`,
      );
    },
  };
}
