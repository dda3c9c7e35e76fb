import { randomUUID } from 'node:crypto';
import type { JournalEntry, Notification } from '../../../core/alert.ts';
import type { Clock } from '../../../core/clock.ts';
import { Secret } from '../../../core/secret.ts';
import { OK, type Outcome, failed } from '../../../core/types.ts';
import type { RecordingNotifier } from '../channel.ts';
import { type HttpAnswer, outcomeOf, post, unreached } from '../http.ts';
import type { SplunkConfig } from './config.ts';
import { type SplunkRecord, notificationRecord, recordsOf } from './records.ts';

const WHO = 'Splunk';
const BATCH_BYTES_MAX = 512 * 1024;
const ACK_POLLS_MAX = 20;
const ACK_POLL_MS = 500;

/** Sends to the HTTP Event Collector of Splunk: messages, and every finding, alert, incident and audit record. */
export class SplunkNotifier implements RecordingNotifier {
  readonly name: string;
  readonly #config: SplunkConfig;
  readonly #clock: Clock;
  /** Acknowledgements are counted per channel, and one belongs to one client. */
  readonly #requestChannel = randomUUID();

  constructor(config: SplunkConfig, deps: { readonly name: string; readonly clock: Clock }) {
    this.name = deps.name;
    this.#config = config;
    this.#clock = deps.clock;
  }

  async notify(notification: Notification, signal: AbortSignal): Promise<Outcome> {
    return this.#send([notificationRecord(notification)], signal);
  }

  async record(entries: readonly JournalEntry[], signal: AbortSignal): Promise<Outcome> {
    return this.#config.records ? this.#send(entries.flatMap(recordsOf), signal) : OK;
  }

  async #send(records: readonly SplunkRecord[], signal: AbortSignal): Promise<Outcome> {
    let batch: string[] = [];
    let bytes = 0;
    for (const record of records) {
      const line = this.#line(record);
      if (bytes + line.length > BATCH_BYTES_MAX && batch.length > 0) {
        const outcome = await this.#postBatch(batch, signal);
        if (!outcome.ok) return outcome;
        batch = [];
        bytes = 0;
      }
      batch.push(line);
      bytes += line.length;
    }
    return batch.length === 0 ? OK : this.#postBatch(batch, signal);
  }

  #line({ at, type, id, event }: SplunkRecord): string {
    const { index, retention } = this.#config;
    return JSON.stringify({
      time: at / 1000,
      host: 'keywatch',
      source: 'keywatch',
      sourcetype: `keywatch:${type}`,
      ...(index === undefined ? {} : { index }),
      event,
      fields: { retention, record: type, record_id: id },
    });
  }

  async #postBatch(lines: readonly string[], signal: AbortSignal): Promise<Outcome> {
    const { acknowledge } = this.#config;
    try {
      const answer = await this.#post('/services/collector/event', lines.join('\n'), signal);
      const outcome = this.#outcomeOf(answer);
      if (!outcome.ok || !acknowledge) return outcome;
      const ackId = answerOf(answer)?.['ackId'];
      if (typeof ackId !== 'number')
        return failed('Splunk gave no acknowledgement id: switch indexer acknowledgement on for the token, or acknowledge off here', false);
      return await this.#acknowledged(ackId, signal);
    } catch (error) {
      return unreached(WHO, error);
    }
  }

  /** Asked until the indexers have it. What they do not have by then is sent again, under the same ids. */
  async #acknowledged(ackId: number, signal: AbortSignal): Promise<Outcome> {
    for (let poll = 0; poll < ACK_POLLS_MAX && !signal.aborted; poll++) {
      const answer = await this.#post('/services/collector/ack', JSON.stringify({ acks: [ackId] }), signal);
      const outcome = this.#outcomeOf(answer);
      if (!outcome.ok) return outcome;
      const acks = answerOf(answer)?.['acks'];
      if (typeof acks === 'object' && acks !== null && Object.entries(acks).some(([id, isDone]) => id === String(ackId) && isDone === true)) return OK;
      await this.#clock.sleep(ACK_POLL_MS, signal);
    }
    return failed('Splunk has it, but its indexers did not acknowledge it in time', true);
  }

  #post(path: string, body: string, signal: AbortSignal): Promise<HttpAnswer> {
    const { url, token, timeout, ca, acknowledge } = this.#config;
    const headers = {
      authorization: `Splunk ${token.reveal()}`,
      'content-type': 'application/json',
      ...(acknowledge ? { 'x-splunk-request-channel': this.#requestChannel } : {}),
    };
    return post({ url: new Secret(`${url.replace(/\/+$/, '')}${path}`), headers, body, timeoutMs: timeout, signal, ca });
  }

  #outcomeOf(answer: HttpAnswer): Outcome {
    const parsed = answerOf(answer);
    const text = parsed?.['text'];
    const said = typeof text === 'string' ? `${text}${typeof parsed?.['code'] === 'number' ? ` (code ${parsed['code']})` : ''}` : undefined;
    return outcomeOf(answer, { who: WHO, now: this.#clock.now(), secrets: [this.#config.token], said });
  }
}

/** `{"text":"Success","code":0,"ackId":3}`. */
function answerOf({ body }: HttpAnswer): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? Object.fromEntries(Object.entries(parsed)) : undefined;
  } catch {
    return undefined;
  }
}
