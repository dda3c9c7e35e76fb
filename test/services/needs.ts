import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { HAS_NGINX } from './nginx.ts';
import { HAS_RSYSLOG } from './rsyslog.ts';
import type { ServiceName, SharedServices } from './shared.ts';

/** What a test needs: a shared server, `own` ones that it may break, or a program of the system. */
export type Need = ServiceName | 'own' | keyof typeof PROGRAMS;

const PROGRAMS = { nginx: HAS_NGINX, rsyslog: HAS_RSYSLOG } as const;

const shared: SharedServices = inject('services');

/**
 * For `describe.skipIf(lacks('kafka'))`. Where servers are required nothing is skipped: the test then fails, and
 * says what is missing.
 */
export function lacks(...needs: readonly Need[]): boolean {
  return !shared.isRequired && needs.some((need) => !isThere(need));
}

/** `host:port` of the shared broker, once it answers. Use topics and groups of your own (`fresh`). */
export function kafka(): Promise<string> {
  return address('kafka');
}

/** The URL of the shared node, once it answers. Use an index prefix of your own (`fresh`). */
export function elasticsearch(): Promise<string> {
  return address('elasticsearch');
}

/** Both. */
export async function services(): Promise<Readonly<Record<ServiceName, string>>> {
  const [broker, node] = await Promise.all([kafka(), elasticsearch()]);
  return { kafka: broker, elasticsearch: node };
}

/** A name for a topic, a group or an index prefix that no other test uses. */
export function fresh(name: string): string {
  return `${name}-${randomBytes(5).toString('hex')}`;
}

function isThere(need: Need): boolean {
  return { ...shared.has, own: shared.canStart, ...PROGRAMS }[need];
}

async function address(name: ServiceName): Promise<string> {
  if (!isThere(name)) throw new Error(`this test needs a real ${name} and there is none: ${shared.why}`);
  const response = await fetch(`${shared.door}/${name}`);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}
