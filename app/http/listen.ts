import { isIP } from 'node:net';

/** Where a server listens. */
export type Listen = { readonly host: string; readonly port: number };

/** `127.0.0.1:9420`, `[::1]:9420`, `localhost:9420`; undefined for anything else. Port 0 takes any free one. */
export function parseListen(text: string): Listen | undefined {
  const [, six, name, digits] = /^(?:\[([^\]]+)\]|([^:\s[\]]+)):(\d{1,5})$/.exec(text.trim()) ?? [];
  const host = six ?? name;
  const port = Number(digits);
  if (host === undefined || port > 65_535) return undefined;
  if (six !== undefined && isIP(six) !== 6) return undefined;
  if (name !== undefined && isIP(name) === 0 && !/^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(name)) return undefined;
  // What is meant for an address but is none would be asked of a name server.
  if (name !== undefined && isIP(name) === 0 && /^[\d.]+$/.test(name)) return undefined;
  return { host, port };
}

export function printListen({ host, port }: Listen): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Reached from this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
