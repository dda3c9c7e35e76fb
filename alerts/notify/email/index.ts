import { EMAIL_MIN_SEVERITY } from '../../route.ts';
import { channelKind } from '../channel.ts';
import { emailConfig, emailFields } from './config.ts';
import { EmailNotifier } from './notifier.ts';

export const emailChannel = channelKind({
  kind: 'email',
  summary: 'Mail to people, over SMTP.',
  minSeverity: EMAIL_MIN_SEVERITY,
  hasDigest: true,
  fields: emailFields,
  config: emailConfig,
  targets: ({ host, port }) => [{ host, port }],
  open: (config, { name, minSeverity, cards, onProblem }) =>
    new EmailNotifier(config, {
      name,
      minSeverity,
      cards,
      onRefused: ({ recipient, reason }) => onProblem(`${name}: ${recipient} is refused and gets no mail: ${reason}`),
    }),
  advice: 'check user, password, tls and the sender address',
});
