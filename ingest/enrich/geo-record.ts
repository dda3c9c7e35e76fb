import { cutBytes } from '../redact.ts';

type MmdbRecord = Readonly<Record<string, unknown>>;

/** Longer names of networks are cut: they stand in messages and tables. */
const NAME_BYTES_MAX = 48;

/**
 * The country in a record of any common database: MaxMind and DB-IP (`country.iso_code`, or where the network is
 * registered), IPinfo (`country_code`, in older files `country`).
 */
export function countryOf(record: MmdbRecord): string | undefined {
  return (
    codeOf(inside(record, 'country', 'iso_code')) ??
    codeOf(record['country_code']) ??
    codeOf(record['country']) ??
    codeOf(inside(record, 'registered_country', 'iso_code'))
  );
}

/**
 * The autonomous system: MaxMind and DB-IP (`autonomous_system_number`, in paid files under `traits`), IPinfo (`asn`
 * as `AS13335`, with `as_name` or `name`).
 */
export function asnOf(record: MmdbRecord): string | undefined {
  for (const { number, name } of [
    { number: record['autonomous_system_number'], name: record['autonomous_system_organization'] },
    { number: inside(record, 'traits', 'autonomous_system_number'), name: inside(record, 'traits', 'autonomous_system_organization') },
    { number: record['asn'], name: record['as_name'] ?? record['name'] ?? record['org'] },
    { number: inside(record, 'asn', 'asn'), name: inside(record, 'asn', 'name') },
    { number: inside(record, 'as', 'number'), name: inside(record, 'as', 'name') },
  ]) {
    const digits = numberOf(number);
    if (digits === undefined) continue;
    const text = typeof name === 'string' ? name.replace(/[\p{C}\s]+/gu, ' ').trim() : '';
    return text === '' ? `AS${digits}` : `AS${digits} ${cutBytes(text, NAME_BYTES_MAX).trim()}`;
  }
  return undefined;
}

function inside(record: MmdbRecord, outer: string, name: string): unknown {
  const value = record[outer];
  return typeof value === 'object' && value !== null ? (value as MmdbRecord)[name] : undefined;
}

function codeOf(value: unknown): string | undefined {
  return typeof value === 'string' && /^[A-Za-z]{2}$/.test(value) ? value.toUpperCase() : undefined;
}

/** Systems are numbered from 1 in 32 bits. */
function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'number' ? value : typeof value === 'string' && /^(?:AS)?\d{1,10}$/i.test(value) ? Number(value.replace(/^AS/i, '')) : 0;
  return Number.isInteger(number) && number > 0 && number <= 0xffffffff ? number : undefined;
}
