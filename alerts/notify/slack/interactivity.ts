import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../../core/secret.ts';
import type { DurationMs, EpochMs } from '../../../core/types.ts';
import { HOUR_MS } from '../../../core/window.ts';
import type { SlackRole } from './config.ts';
import { ACTIONS } from './message.ts';

/** Older clicks are replays. Slack's own advice. */
export const REPLAY_WINDOW_MS: DurationMs = 5 * 60_000;
const SNOOZE_MS: DurationMs = 8 * HOUR_MS;

export type SlackRequest = {
  /** The body as it came, byte for byte: the signature is over it. */
  readonly body: string;
  readonly timestamp: string | undefined;
  readonly signature: string | undefined;
};

/** Whether Slack sent this, and within the last five minutes. The reason is for the log, not for the caller. */
export function verifySlackRequest(
  request: SlackRequest,
  options: { readonly signingSecret: Secret; readonly now: EpochMs },
): { readonly ok: true } | { readonly ok: false; readonly reason: string } {
  const { body, timestamp, signature } = request;
  if (timestamp === undefined || !/^\d{1,12}$/.test(timestamp)) return { ok: false, reason: 'no timestamp' };
  if (signature === undefined || !/^v0=[0-9a-f]{64}$/.test(signature)) return { ok: false, reason: 'no signature' };
  if (Math.abs(options.now - Number(timestamp) * 1000) > REPLAY_WINDOW_MS) return { ok: false, reason: 'the timestamp is more than 5 minutes away' };
  const wanted = createHmac('sha256', options.signingSecret.reveal()).update(`v0:${timestamp}:${body}`).digest();
  return timingSafeEqual(wanted, Buffer.from(signature.slice(3), 'hex')) ? { ok: true } : { ok: false, reason: 'the signature is wrong' };
}

/** A click, as the rest of Keywatch understands it. */
export type SlackAction = {
  /** Slack's id of the user: the actor is `slack:<user>`. */
  readonly user: string;
  readonly role: SlackRole;
  /** The same for a click that Slack delivers twice. */
  readonly id: string;
  /** `INC-4821`. */
  readonly incident: string;
  readonly act: { readonly kind: 'acknowledge'; readonly forMs?: DurationMs } | { readonly kind: 'resolve'; readonly reason: 'expected' };
  /** Where an answer for this person alone may be posted. A secret for half an hour. */
  readonly responseUrl?: string;
};

export type SlackClick = { readonly kind: 'ok'; readonly value: SlackAction } | { readonly kind: 'drop' | 'reject'; readonly reason: string };

/**
 * Reads the body of a click. `drop` is a click that asks for nothing (a link button); `reject` says for the person why it
 * is not done. A user who is not listed, or only a viewer, may do nothing.
 */
export function parseSlackAction(body: string, users: Readonly<Record<string, SlackRole>>): SlackClick {
  const payload = payloadOf(body);
  if (payload === undefined) return { kind: 'reject', reason: 'this is no click that Slack sends' };
  const action = payload.actions[0];
  if (action === undefined || action.id.startsWith('keywatch_open_')) return { kind: 'drop', reason: 'a link was opened' };
  if (!/^INC-\d{1,15}$/.test(action.value)) return { kind: 'reject', reason: 'the button names no incident' };
  const act = actOf(action.id);
  if (act === undefined) return { kind: 'reject', reason: 'no such button any more: the message is of another version' };
  const role = Object.hasOwn(users, payload.user) ? users[payload.user] : undefined;
  if (role === undefined)
    return { kind: 'reject', reason: 'you are not listed under users of this channel in the configuration of Keywatch, so nothing was done' };
  if (role === 'viewer') return { kind: 'reject', reason: 'you may look, but not act: your role is viewer, so nothing was done' };
  return {
    kind: 'ok',
    value: {
      user: payload.user,
      role,
      id: `slack-${payload.user}-${action.ts}-${action.id}`,
      incident: action.value,
      act,
      ...(payload.responseUrl === undefined ? {} : { responseUrl: payload.responseUrl }),
    },
  };
}

function actOf(id: string): SlackAction['act'] | undefined {
  if (id === ACTIONS.acknowledge) return { kind: 'acknowledge' };
  if (id === ACTIONS.snooze) return { kind: 'acknowledge', forMs: SNOOZE_MS };
  return id === ACTIONS.expected ? { kind: 'resolve', reason: 'expected' } : undefined;
}

type Payload = {
  readonly user: string;
  readonly actions: readonly { readonly id: string; readonly value: string; readonly ts: string }[];
  readonly responseUrl: string | undefined;
};

function payloadOf(body: string): Payload | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new URLSearchParams(body).get('payload') ?? '');
  } catch {
    return undefined;
  }
  if (!isRecord(parsed) || parsed['type'] !== 'block_actions' || !isRecord(parsed['user']) || !Array.isArray(parsed['actions'])) return undefined;
  const user = parsed['user']['id'];
  if (typeof user !== 'string' || !/^[UW][A-Z0-9]{2,20}$/.test(user)) return undefined;
  const responseUrl = parsed['response_url'];
  return {
    user,
    actions: parsed['actions'].flatMap((action: unknown) => {
      if (!isRecord(action) || typeof action['action_id'] !== 'string' || typeof action['action_ts'] !== 'string' || !/^[\d.]{1,30}$/.test(action['action_ts']))
        return [];
      return [{ id: action['action_id'], value: typeof action['value'] === 'string' ? action['value'] : '', ts: action['action_ts'] }];
    }),
    // Only to Slack: an answer must not be sent where somebody else says.
    responseUrl: typeof responseUrl === 'string' && /^https:\/\/hooks\.slack(?:-gov)?\.com\//.test(responseUrl) ? responseUrl : undefined,
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
