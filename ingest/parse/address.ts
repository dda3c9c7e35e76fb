import { BlockList, isIP } from 'node:net';
import { expandIpv6 } from '../../core/network.ts';
import { looksLikeKey } from '../redact.ts';

/** Proxies whose word about the client is believed: loopback and private ranges (RFC 1918, RFC 4193, RFC 6598, link-local). */
export const PRIVATE_RANGES: readonly string[] = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
];

const NAME_LENGTH_MAX = 64;

/**
 * The canonical text of an address as logs write it: without port, brackets and zone, IPv4-mapped IPv6 as
 * IPv4, IPv6 in full lower-case groups. A host name stays, in lower case. '' when there is nothing.
 */
export function canonicalAddress(raw: string): string {
  let text = raw.trim().replace(/^"|"$/g, '');
  if (text === '' || text === '-' || text === 'unknown' || text.startsWith('_')) return '';
  if (text.startsWith('[')) text = text.slice(1, text.includes(']') ? text.indexOf(']') : undefined);
  else if (/^\d+\.\d+\.\d+\.\d+:\d+$/.test(text)) text = text.slice(0, text.indexOf(':'));
  if (isIP(text) === 4) return text;
  if (text.includes(':')) {
    const groups = expandIpv6(text);
    if (groups !== undefined) return ipv6Text(groups);
  }
  const name = text.toLowerCase().slice(0, NAME_LENGTH_MAX);
  // A client writes X-Forwarded-For as it likes: a key in it is no host.
  return /^[a-z0-9._-]+$/.test(name) && !looksLikeKey(text) ? name : '';
}

function ipv6Text(groups: readonly number[]): string {
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  const high = groups[6] as number;
  const low = groups[7] as number;
  if (isMapped) return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  // RFC 5952: the longest run of zero groups, at least two, becomes "::".
  let runStart = -1;
  let runLength = 1;
  for (let i = 0; i < 8; i++) {
    let j = i;
    while (j < 8 && groups[j] === 0) j++;
    if (j - i > runLength) {
      runStart = i;
      runLength = j - i;
    }
    if (j > i) i = j;
  }
  const hex = groups.map((group) => group.toString(16));
  if (runStart < 0) return hex.join(':');
  return `${hex.slice(0, runStart).join(':')}::${hex.slice(runStart + runLength).join(':')}`;
}

/** Tells trusted proxies by CIDR. */
export function trustedProxies(cidrs: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', bits] = cidr.split('/');
    const family = isIP(address);
    if (family === 0) throw new Error(`trusted proxy "${cidr}" is no address or CIDR range; write it like 10.0.0.0/8`);
    list.addSubnet(address, bits === undefined ? (family === 4 ? 32 : 128) : Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  }
  return (address) => {
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6');
  };
}
