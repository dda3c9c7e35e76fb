import { assertNever } from '../../../core/types.ts';
import { caddy } from './caddy.ts';
import { combined } from './combined.ts';
import { common } from './common.ts';
import type { FormatName, LineFormat } from './format.ts';
import { kong } from './kong.ts';
import { ndjson } from './ndjson.ts';
import { nginxJson } from './nginx-json.ts';

/** The format of a name. `keyParameter` matters where a line can show a key in the URL only: combined and common. */
export function lineFormat(name: FormatName, options: { readonly keyParameter?: string } = {}): LineFormat {
  switch (name) {
    case 'ndjson':
      return ndjson;
    case 'combined':
      return combined(options);
    case 'common':
      return common(options);
    case 'nginx-json':
      return nginxJson;
    case 'kong':
      return kong;
    case 'caddy':
      return caddy;
    default:
      return assertNever(name);
  }
}
