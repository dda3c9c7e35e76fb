import { closeSync, openSync, readSync } from 'node:fs';
import { createTransport } from 'nodemailer';
import type { Alert } from '../../../core/alert.ts';
import { type EntityId, entityId, type Severity } from '../../../core/types.ts';
import type { DemoKey, DemoPipeline, DemoPipelineHandlers, DemoPipelineOptions, DemoStats, StartDemoPipeline } from '../../../app/demo/types.ts';
import { richReport } from '../report/sample.ts';

type Minute = { requests: number; errors: number; denied: number; bytes: number; readonly guesses: Set<string>; readonly addresses: Set<string> };
type Seen = {
  readonly at: number;
  readonly entity: EntityId;
  readonly label: string;
  readonly address: string;
  readonly status: number;
  readonly bytes: number;
  readonly key: string;
};

/**
 * What the demo needs of a pipeline in its simplest form, written for the test and independent of Keywatch's own: reads the
 * files as they grow with JSON.parse and a regular expression, keeps minutes in maps, compares with four limits, and tells
 * Slack and mail over real sockets.
 */
export const startReferencePipeline: StartDemoPipeline = async (options, handlers) => new ReferencePipeline(options, handlers);

class ReferencePipeline implements DemoPipeline {
  readonly #options: DemoPipelineOptions;
  readonly #handlers: DemoPipelineHandlers;
  readonly #labels: ReadonlyMap<string, string>;
  readonly #minutes = new Map<EntityId, Map<number, Minute>>();
  readonly #names = new Map<EntityId, string>();
  readonly #alerts = new Map<string, Alert>();
  readonly #offsets = new Map<string, number>();
  readonly #sending = new Set<Promise<unknown>>();
  readonly #stop = new AbortController();
  readonly #mail: ReturnType<typeof createTransport>;
  readonly #loop: Promise<void>;
  readonly #buffer = Buffer.allocUnsafe(1 << 22);
  #events = 0;
  #rejected = 0;
  #newest = 0;

  constructor(options: DemoPipelineOptions, handlers: DemoPipelineHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#labels = new Map(options.keys.map((key) => [key.credentialId, key.label]));
    this.#mail = createTransport({ host: options.smtp.host, port: options.smtp.port, secure: false, ignoreTLS: true });
    this.#loop = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#poll();
      await this.#options.clock.sleep(2_000, this.#stop.signal);
    }
  }

  #poll(): void {
    const touched = new Set<EntityId>();
    for (const path of this.#options.files) {
      for (const line of this.#readNew(path)) {
        const seen = path.endsWith('.json') ? this.#ofKong(line) : ofCombined(line);
        if (seen === undefined) this.#rejected++;
        else for (const entity of this.#count(seen)) touched.add(entity);
      }
    }
    for (const entity of touched) this.#judge(entity);
  }

  *#readNew(path: string): Iterable<string> {
    const file = openSync(path, 'r');
    try {
      const buffer = this.#buffer;
      for (;;) {
        const from = this.#offsets.get(path) ?? 0;
        const size = readSync(file, buffer, 0, buffer.length, from);
        const end = buffer.subarray(0, size).lastIndexOf(10);
        if (end < 0) return;
        this.#offsets.set(path, from + end + 1);
        yield* buffer.toString('utf8', 0, end).split('\n');
      }
    } finally {
      closeSync(file);
    }
  }

  #ofKong(line: string): Seen {
    const record = JSON.parse(line);
    const id: string | undefined = record.authenticated_entity?.id;
    const key: string = record.request.headers.apikey;
    return {
      at: record.started_at,
      entity: id === undefined ? entityId('key', `unknown-${key.length}`) : entityId('key', id),
      label: id === undefined ? 'unknown keys' : (this.#labels.get(id) ?? id),
      address: record.client_ip,
      status: record.response.status,
      bytes: record.response.size + record.request.size,
      key,
    };
  }

  #count(seen: Seen): readonly EntityId[] {
    this.#events++;
    this.#newest = Math.max(this.#newest, seen.at);
    const isDenied = seen.status === 401 || seen.status === 403;
    const network = entityId('network', seen.address.replace(/\.\d+$/, '.0/24'));
    const owners = [[seen.entity, seen.label] as const, ...(isDenied ? [[network, network] as const] : [])];
    for (const [entity, label] of owners) {
      this.#names.set(entity, label);
      const minutes = this.#minutes.get(entity) ?? new Map<number, Minute>();
      this.#minutes.set(entity, minutes);
      const index = Math.floor(seen.at / 60_000);
      const minute = minutes.get(index) ?? { requests: 0, errors: 0, denied: 0, bytes: 0, guesses: new Set(), addresses: new Set() };
      minutes.set(index, minute);
      minute.requests++;
      minute.bytes += seen.bytes;
      minute.addresses.add(seen.address);
      if (isDenied) {
        minute.denied++;
        minute.guesses.add(seen.key);
      } else if (seen.status >= 400 && seen.status !== 429 && seen.status !== 499) minute.errors++;
    }
    return owners.map(([entity]) => entity);
  }

  #judge(entity: EntityId): void {
    if (entity.startsWith('key:unknown')) return;
    const minutes = this.#minutes.get(entity) ?? new Map<number, Minute>();
    const now = Math.floor(this.#newest / 60_000);
    const sum = (from: number, to: number, value: (minute: Minute) => number): number =>
      [...minutes].reduce((total, [index, minute]) => (index > from && index <= to ? total + value(minute) : total), 0);
    const denied = sum(now - 60, now, (minute) => minute.denied);
    if (entity.startsWith('network:')) {
      const guessed = new Set([...minutes.values()].flatMap((minute) => [...minute.guesses])).size;
      if (guessed >= 50) this.#fire(entity, 'guessing', guessed, `${guessed} different credentials failed`);
      return;
    }
    if (denied > 50) this.#fire(entity, 'failed_auth', denied, `${denied} failed authentications in an hour`);
    const rate = minutes.get(now)?.requests ?? 0;
    if (rate > 1_000) this.#fire(entity, 'request_rate', rate, `${rate} requests in a minute`);
    const bytes = sum(now - 60, now, (minute) => minute.bytes);
    if (bytes > 1024 ** 3) this.#fire(entity, 'data_transfer', bytes, `${bytes} bytes in an hour`);
    const [requests, errors] = [sum(now - 7, now - 2, (minute) => minute.requests), sum(now - 7, now - 2, (minute) => minute.errors)];
    if (requests >= 50 && errors / requests > 0.1) this.#fire(entity, 'error_rate', errors / requests, `${errors} of ${requests} requests failed`);
  }

  #fire(entity: EntityId, rule: string, observed: number, why: string): void {
    const id = `${rule}|${entity}`;
    if (this.#alerts.has(id)) return;
    const at = this.#options.clock.now();
    const window = { start: this.#newest - 60_000, end: this.#newest };
    const severity: Severity = 'critical';
    const finding = {
      id,
      rule,
      entity,
      window,
      severity,
      score: 90,
      why,
      observed,
      expected: 1,
      unit: 'requests' as const,
      action: 'look',
      contributions: [],
      isLive: true,
    };
    const alert: Alert = {
      id,
      dedupKey: id,
      episode: 1,
      rule,
      entity,
      label: this.#names.get(entity) ?? entity,
      state: 'firing',
      severity,
      score: 90,
      startedAt: window.start,
      firedAt: at,
      lastBreachAt: window.end,
      peak: observed,
      findings: 1,
      reopens: 0,
      dips: 0,
      excess: 0,
      finding,
    };
    this.#alerts.set(id, alert);
    this.#handlers.onAlert(alert);
    const text = `${severity} ${alert.label}: ${why}`;
    const send = (sent: Promise<unknown>): void => void this.#sending.add(sent);
    send(fetch(this.#options.slackWebhook.reveal(), { method: 'POST', body: JSON.stringify({ text }) }));
    send(this.#mail.sendMail({ from: this.#options.smtp.from, to: this.#options.smtp.to, subject: `[Keywatch] ${alert.label}`, text }));
  }

  stats(query: { readonly top: number; readonly minutes: number }): DemoStats {
    const now = Math.floor(this.#newest / 60_000);
    const top = [...this.#minutes]
      .filter(([entity]) => entity.startsWith('key:'))
      .map(([entity, minutes]): DemoKey => {
        const series = Array.from({ length: query.minutes }, (_, index) => minutes.get(now - query.minutes + 1 + index)?.requests ?? 0);
        return { entity, label: this.#names.get(entity) ?? entity, minutes: series, errorShare: undefined, addresses: 1 };
      })
      .sort((a, b) => (b.minutes.at(-2) ?? 0) - (a.minutes.at(-2) ?? 0));
    return { events: this.#events, rejected: this.#rejected, newest: this.#newest, behindBytes: 0, entities: this.#minutes.size, top: top.slice(0, query.top) };
  }

  async drain(): Promise<void> {
    this.#poll();
    await Promise.all(this.#sending);
  }

  async report(): ReturnType<DemoPipeline['report']> {
    return richReport();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await Promise.allSettled(this.#sending);
    this.#mail.close();
  }
}

const COMBINED = /^(\S+) \S+ \S+ \[(\d+)\/(\w+)\/(\d+):(\d+:\d+:\d+) \+0000\] "[^"]*" (\d+) (\d+|-) "[^"]*"(?: "([^"]*)")?/;

function ofCombined(line: string): Seen | undefined {
  const found = COMBINED.exec(line);
  if (found === null) return undefined;
  const [, address = '', day, month, year, time, status, bytes, agent = '-'] = found;
  return {
    at: Date.parse(`${month} ${day}, ${year} ${time} UTC`),
    entity: entityId('client', `${address} ${agent}`),
    label: `${address} ${agent}`,
    address,
    status: Number(status),
    bytes: bytes === '-' ? 0 : Number(bytes),
    key: '',
  };
}

/** Sees nothing: for tests of what happens around a pipeline. */
export const startIdlePipeline: StartDemoPipeline = async () => ({
  stats: () => ({ events: 0, rejected: 0, newest: 0, behindBytes: 0, entities: 0, top: [] }),
  drain: async () => undefined,
  report: async () => richReport(),
  [Symbol.asyncDispose]: async () => undefined,
});
