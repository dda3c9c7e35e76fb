import type { ChannelDeps, ChannelNotes } from '../../../../alerts/notify/channel.ts';
import { channelKindOf } from '../../../../alerts/notify/registry.ts';
import type { Notifier } from '../../../../core/ports.ts';
import { Secret } from '../../../../core/secret.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';
import { T0 } from '../../support/build.ts';

/** Nobody may ever read one of these in a reason. */
export const SECRETS = [
  'very-secret-token-of-the-url',
  'xoxb-very-secret-bot',
  'abcdefghijabcdefghijabcdefghij12',
  'hec-very-secret-0001',
  'am-very-secret-bearer',
  'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0',
];
export const WEBHOOK_KEY = `whsec_${SECRETS[5] ?? ''}`;

/** Notes that live as long as the test: handed to a second notifier they are the restart. */
export function memoryNotes(): ChannelNotes & { readonly texts: Map<string, string> } {
  const texts = new Map<string, string>();
  return { texts, read: async (name) => texts.get(name), write: async (name, text) => void texts.set(name, text) };
}

export type HttpChannel = {
  readonly what: string;
  readonly kind: string;
  /** Of `SECRETS`: what it knows, and must not tell. */
  readonly secrets: readonly number[];
  /** What the far side says when it takes a message. */
  readonly yes: string;
  readonly settings: (origin: string) => Readonly<Record<string, unknown>>;
};

/** Every channel over HTTP. A further one is a line here, and then owes all that the suite asks. */
export const HTTP_CHANNELS: readonly HttpChannel[] = [
  {
    what: 'Slack webhook',
    kind: 'slack',
    secrets: [0],
    yes: 'ok',
    settings: (origin) => ({ webhookUrl: new Secret(`${origin}/services/T000/B000/${SECRETS[0] ?? ''}`) }),
  },
  {
    what: 'Slack bot (contract fake of its API)',
    kind: 'slack',
    secrets: [1],
    yes: '{"ok":true,"channel":"C0123","ts":"1700000000.000100"}',
    settings: (origin) => ({ bot: { token: new Secret(SECRETS[1] ?? ''), channel: 'C0123', apiUrl: `${origin}/api` } }),
  },
  {
    what: 'signed webhook',
    kind: 'webhook',
    secrets: [0, 5],
    yes: '',
    settings: (origin) => ({ url: new Secret(`${origin}/hook/${SECRETS[0] ?? ''}?key=${SECRETS[0] ?? ''}`), secret: new Secret(WEBHOOK_KEY) }),
  },
  {
    what: 'PagerDuty (contract fake of its Events API v2)',
    kind: 'pagerduty',
    secrets: [2],
    yes: '{"status":"success","message":"Event processed","dedup_key":"x"}',
    settings: (origin) => ({ url: origin, routingKey: new Secret(SECRETS[2] ?? '') }),
  },
  { what: 'Alertmanager', kind: 'alertmanager', secrets: [4], yes: '', settings: (origin) => ({ urls: [origin], token: new Secret(SECRETS[4] ?? '') }) },
  {
    what: 'Splunk (contract fake of its HTTP Event Collector)',
    kind: 'splunk',
    secrets: [3],
    yes: '{"text":"Success","code":0}',
    settings: (origin) => ({ url: origin, token: new Secret(SECRETS[3] ?? '') }),
  },
];

export function openChannel(channel: HttpChannel, origin: string, more: Readonly<Record<string, unknown>> = {}, deps: Partial<ChannelDeps> = {}): Notifier {
  return channelKindOf(channel.kind).open(
    { ...channel.settings(origin), ...more },
    { name: 'the-channel', minSeverity: 'medium', clock: new VirtualClock(T0), notes: memoryNotes(), onProblem: () => undefined, ...deps },
  );
}
