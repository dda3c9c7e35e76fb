import type { EpochMs } from '../../core/types.ts';

/**
 * One API access as the client made it, before any gateway wrote it down. Everything a log line of any format
 * can show is here; each format leaves out what that gateway does not know.
 */
export type SimulatedEvent = {
  /** Start of the request. NGINX and Caddy log its end, httpd and Kong its start. */
  readonly at: EpochMs;
  /** The raw secret. Invented for the simulation and valid nowhere. */
  readonly key: string;
  /** The gateway's public id of the key; undefined when the gateway did not recognise the key. */
  readonly credentialId: string | undefined;
  /** The customer's name as the gateway knows it; undefined when the key was not recognised. */
  readonly consumer: string | undefined;
  readonly address: string;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Without the question mark; empty when there is none. */
  readonly query: string;
  readonly status: number;
  /** Body bytes. */
  readonly bytesIn: number;
  /** Body bytes. */
  readonly bytesOut: number;
  readonly durationUs: number;
  readonly agent: string;
  /** The template of the path, `/v1/orders/{id}`. */
  readonly route: string;
  readonly host: string;
  /** A number drawn once per event: request ids and ports come from it, so that every format of one event agrees. */
  readonly nonce: number;
};
