import { KEY_NAMES } from '../parse/key-names.ts';
import { GUESSES } from '../parse/json-names.ts';

/** Words that logs of gateways and shippers are made of, besides those in the names of fields that are read. */
const OTHERS = `
  get head post put patch delete options trace connect http https h2 grpc www
  true false null none nil undefined nan
  jan feb mar apr may jun jul aug sep oct nov dec mon tue wed thu fri sat sun utc gmt
  info warn warning error debug notice crit alert emerg fatal trace stdout stderr
  access action app application api apis body build bytes cache cached category cert chain cipher class cluster code
  config connection consumer container content cookie count country created credential custom data dataset date day
  destination device dns domain duration ecs encoding entity env environment epoch event events facility failed field
  fields file filebeat fingerprint fluent fluentd flags format forwarded found fragment gateway geo group handled handler
  hash header headers health host hostname hour id ident index input instance ip iso job json keepalive kind kong
  kubernetes label labels language last latencies latency length level line local location log logger login logs logstash
  major max message metadata method min minor minute mode module month msg name names namespace network nginx node number
  offset org organization origin original outcome output owner page params parent path payload peer phase pid pipeline
  plan plugin pod policy pool port prefix priority process proc product program programname project protocol provider
  proxy query queue rate raw read reason received receive referer referrer region rejected remote reply request requests
  resource resp response result retries retry role root route router rule rules running sampled scheme scope second
  sender sent sequence server service services session severity site size source span ssl stage start started state
  status stopped stream string subject success syslog system tag tags target task tcp tenant test tier time timestamp
  timeout timezone tls total trace traefik tries type udp unix update upstream uri url user username uuid value vector
  version vhost view virtual volume wait worker workspace write xff year zone
  mozilla applewebkit chrome safari gecko firefox curl wget python java node okhttp axios windows linux android iphone
  macintosh compatible bot v1 v2 v3 v4 key keys token tokens secret password auth authorization authenticated bearer basic
  redacted missing unknown default public private internal
`;

const WORDS: ReadonlySet<string> = new Set(
  [...OTHERS.split(/\s+/), ...Object.values(GUESSES).flat(), ...KEY_NAMES]
    .flatMap((name) => name.toLowerCase().split(/[^a-z0-9]+/))
    .filter((word) => word !== ''),
);

/** Whether a piece without punctuation is a word of logs, or several in camel case: what nobody has as a key. */
export function isLogWord(piece: string): boolean {
  if (WORDS.has(piece.toLowerCase())) return true;
  const parts = piece.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g) ?? [];
  return parts.length > 1 && parts.join('') === piece && parts.every((part) => part.length > 1 && WORDS.has(part.toLowerCase()));
}

/** Fields whose value is masked as a whole, whatever it is. */
export function isSecretName(name: string): boolean {
  return /key|token|secret|passw|pwd|auth|cookie|credential|signature|session|bearer|jwt|^sig$|^sid$|^pass$|^clientid$/.test(
    name.toLowerCase().replace(/[^a-z0-9]/g, ''),
  );
}

/** Fields in which a long number is a time. */
export function isTimeName(name: string): boolean {
  return /time|date|epoch|msec|^ts$|^at$|started|created/.test(name.toLowerCase().replace(/[^a-z0-9]/g, ''));
}
