import { createHash, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { emailConfig, tlsOf } from '../../../alerts/notify/email/config.ts';
import { EmailNotifier } from '../../../alerts/notify/email/notifier.ts';
import { Secret } from '../../../core/secret.ts';
import { OK } from '../../../core/types.ts';
import { selfSigned } from '../../support/self-signed.ts';
import { SmtpReceiver, parseMail, smtpError } from '../../support/smtp-receiver.ts';
import { T0, alertOf, incidentNotification } from '../support/build.ts';

const never = new AbortController().signal;
const TO = ['oncall@example.com', 'security@example.com'];

type Parts = Partial<z.input<typeof emailConfig>>;

function notifierFor(receiver: { readonly port: number }, parts: Parts = {}, refused: string[] = []): EmailNotifier {
  const config = emailConfig.parse({ host: '127.0.0.1', port: receiver.port, tls: 'none', from: 'keywatch@example.com', to: TO, timeout: 2000, ...parts });
  return new EmailNotifier(config, { onRefused: ({ recipient, reason }) => refused.push(`${recipient}: ${reason}`) });
}

/** Answers a recipient with an error as long as `script` holds one for it. */
function refusing(script: Record<string, Error[]>): ConstructorParameters<typeof SmtpReceiver>[0] {
  return { onRcptTo: ({ address }, _session, callback) => callback(script[address]?.shift() ?? null) };
}

describe('a mail as it arrives', () => {
  test('has a text and an HTML part, all recipients, the thread and the headers', async () => {
    await using receiver = await new SmtpReceiver().listen();
    const notifier = notifierFor(receiver, { replyTo: 'desk@example.com' });
    expect(await notifier.notify(incidentNotification({ openedAs: 'critical', alert: alertOf({ label: 'Zürich export' }) }), never)).toEqual(OK);
    expect(
      await notifier.notify(
        incidentNotification({
          id: 'INC-4821/email/2',
          kind: 'resolved',
          openedAs: 'critical',
          alert: alertOf({ label: 'Zürich export', state: 'resolved', resolvedAt: T0 + 60_000 }),
        }),
        never,
      ),
    ).toEqual(OK);
    expect(receiver.mails.map((mail) => mail.to)).toEqual([TO, TO]);
    const [fired, resolved] = receiver.mails.map((mail) => parseMail(mail.raw));
    expect(fired?.headers.get('subject')).toBe('[API-KEY CRITICAL] Zürich export (INC-4821)');
    expect(resolved?.headers.get('subject')).toBe(fired?.headers.get('subject'));
    expect(fired?.headers.get('from')).toBe('Keywatch <keywatch@example.com>');
    expect(fired?.headers.get('to')).toBe('oncall@example.com, security@example.com');
    expect(fired?.headers.get('reply-to')).toBe('desk@example.com');
    expect(fired?.headers.get('content-type')).toMatch(/^multipart\/mixed/);
    expect(fired?.headers.get('auto-submitted')).toBe('auto-generated');
    expect(fired?.headers.get('x-auto-response-suppress')).toBe('All');
    expect(fired?.headers.get('x-severity')).toBe('critical');
    expect(fired?.headers.get('list-id')).toBe('Keywatch alerts <email.keywatch.example.com>');
    expect(fired?.headers.get('in-reply-to')).toBeUndefined();
    const root = fired?.headers.get('message-id');
    expect(root).toBe('<keywatch.INC-4821.email@example.com>');
    expect([resolved?.headers.get('in-reply-to'), resolved?.headers.get('references')]).toEqual([root, root]);
    expect(fired?.parts.map((part) => part.type)).toEqual(['text/plain', 'text/html', 'application/json']);
    expect(fired?.parts[0]?.body).toContain('FIRING: CRITICAL 94\nZürich export: 2,310 requests in 1 min, limit 1,000 requests');
    expect(fired?.parts[1]?.body).toContain('Zürich export');
  });

  test('a label with a line break adds no header', async () => {
    await using receiver = await new SmtpReceiver().listen();
    await notifierFor(receiver).notify(incidentNotification({ alert: alertOf({ label: 'x\r\nBcc: victim@example.com\r\n\r\nbody' }) }), never);
    const mail = parseMail(receiver.mails[0]?.raw ?? '');
    expect(mail.headers.has('bcc')).toBe(false);
    expect(receiver.mails[0]?.to).toEqual(TO);
  });
});

describe('what the mail server answers', () => {
  test('greylisting: tried again, and then taken under the same id', async () => {
    const later = (): Error[] => [smtpError(450, '4.2.0 greylisted, come back in a minute')];
    await using receiver = await new SmtpReceiver(refusing(Object.fromEntries(TO.map((to) => [to, later()])))).listen();
    const notifier = notifierFor(receiver);
    expect(await notifier.notify(incidentNotification(), never)).toEqual({
      ok: false,
      retryable: true,
      reason: expect.stringContaining('the mail server answered 450: 450 4.2.0 greylisted'),
    });
    expect(receiver.mails).toEqual([]);
    expect(await notifier.notify(incidentNotification({ attempt: 2 }), never)).toEqual(OK);
    expect(receiver.mails.map((mail) => mail.to)).toEqual([TO]);
  });

  test('one refused recipient does not lose the others, and is named', async () => {
    const refused: string[] = [];
    await using receiver = await new SmtpReceiver(refusing({ 'oncall@example.com': [smtpError(550, '5.1.1 no such user')] })).listen();
    expect(await notifierFor(receiver, {}, refused).notify(incidentNotification(), never)).toEqual(OK);
    expect(receiver.mails.map((mail) => mail.to)).toEqual([['security@example.com']]);
    expect(refused).toEqual(['oncall@example.com: 550 550 5.1.1 no such user']);
  });

  test('a recipient that is put off gets the mail later, and the others do not get it twice', async () => {
    await using receiver = await new SmtpReceiver(refusing({ 'oncall@example.com': [smtpError(451, '4.3.0 busy')] })).listen();
    const notifier = notifierFor(receiver);
    expect(await notifier.notify(incidentNotification(), never)).toMatchObject({
      ok: false,
      retryable: true,
      reason: expect.stringContaining('put off 1 of the recipients'),
    });
    expect(await notifier.notify(incidentNotification({ attempt: 2 }), never)).toEqual(OK);
    expect(receiver.mails.map((mail) => mail.to)).toEqual([['security@example.com'], ['oncall@example.com']]);
  });

  test('a recipient that is put off and then refused does not make the mail undelivered', async () => {
    const refused: string[] = [];
    await using receiver = await new SmtpReceiver(refusing({ 'oncall@example.com': [smtpError(451, '4.3.0 busy'), smtpError(550, '5.1.1 gone')] })).listen();
    const notifier = notifierFor(receiver, {}, refused);
    expect(await notifier.notify(incidentNotification(), never)).toMatchObject({ retryable: true });
    expect(await notifier.notify(incidentNotification({ attempt: 2 }), never)).toEqual(OK);
    expect(refused).toEqual(['oncall@example.com: 550 550 5.1.1 gone']);
  });

  test('all recipients refused for good: not tried again', async () => {
    await using receiver = await new SmtpReceiver(refusing(Object.fromEntries(TO.map((to) => [to, [smtpError(550, '5.7.1 go away')]])))).listen();
    expect(await notifierFor(receiver).notify(incidentNotification(), never)).toEqual({
      ok: false,
      retryable: false,
      reason: expect.stringContaining('the mail server answered 550'),
    });
  });

  test('one refused for good and one put off: tried again', async () => {
    await using receiver = await new SmtpReceiver(
      refusing({ 'oncall@example.com': [smtpError(450, 'later')], 'security@example.com': [smtpError(550, 'never')] }),
    ).listen();
    expect(await notifierFor(receiver).notify(incidentNotification(), never)).toMatchObject({ ok: false, retryable: true });
  });

  const afterData: readonly (readonly [number, boolean])[] = [
    [452, true],
    [554, false],
  ];
  for (const [code, isRetryable] of afterData) {
    test(`${code} after the message: ${isRetryable ? 'tried again' : 'given up'}`, async () => {
      await using receiver = await new SmtpReceiver({
        onData: (stream, _session, callback) => void stream.resume().on('end', () => callback(smtpError(code, 'no'))),
      }).listen();
      expect(await notifierFor(receiver).notify(incidentNotification(), never)).toMatchObject({
        ok: false,
        retryable: isRetryable,
        reason: expect.stringContaining(`the mail server answered ${code}`),
      });
    });
  }

  test('a connection dropped after the message is tried again', async () => {
    const dropping: SmtpReceiver = new SmtpReceiver({ onData: (stream) => void stream.resume().on('end', () => dropping.drop()) });
    await using receiver = await dropping.listen();
    expect(await notifierFor(receiver).notify(incidentNotification(), never)).toEqual({
      ok: false,
      retryable: true,
      reason: 'the mail server was not reached: ECONNECTION',
    });
  });

  test('a server that says nothing ends at the deadline', async () => {
    await using receiver = await new SmtpReceiver({ onConnect: () => undefined }).listen();
    expect(await notifierFor(receiver, { timeout: 150 }).notify(incidentNotification(), never)).toEqual({
      ok: false,
      retryable: true,
      reason: 'the mail server was not reached: ETIMEDOUT',
    });
  });

  test('an abort ends the conversation', async () => {
    const stop = new AbortController();
    await using receiver = await new SmtpReceiver({ onMailFrom: () => stop.abort() }).listen();
    expect(await notifierFor(receiver).notify(incidentNotification(), stop.signal)).toEqual({
      ok: false,
      retryable: true,
      reason: 'the mail server was not reached: aborted',
    });
  });

  test('nobody listening is tried again', async () => {
    const receiver = await new SmtpReceiver().listen();
    const { port } = receiver;
    await receiver[Symbol.asyncDispose]();
    expect(await notifierFor({ port }).notify(incidentNotification(), never)).toMatchObject({
      ok: false,
      retryable: true,
      reason: expect.stringMatching(/^the mail server was not reached: E/),
    });
  });
});

describe('transport security', () => {
  const { key, cert } = selfSigned();
  const password = new Secret('hunter2-very-secret');
  const auth = { user: 'keywatch', password };
  const login: ConstructorParameters<typeof SmtpReceiver>[0] = {
    authOptional: false,
    onAuth: ({ username, password: given }, _session, callback) =>
      callback(username === 'keywatch' && given === password.reveal() ? null : smtpError(535, '5.7.8 wrong password'), { user: username }),
  };

  test('STARTTLS and login, with an authority of our own', async () => {
    await using receiver = await new SmtpReceiver({ ...login, key, cert, disabledCommands: [] }).listen();
    expect(await notifierFor(receiver, { tls: 'starttls', host: 'localhost', ca: cert, auth }).notify(incidentNotification(), never)).toEqual(OK);
    expect(receiver.mails).toHaveLength(1);
  });

  test('TLS from the first byte', async () => {
    await using receiver = await new SmtpReceiver({ ...login, key, cert, secure: true }).listen();
    expect(await notifierFor(receiver, { tls: 'implicit', host: 'localhost', ca: cert, auth }).notify(incidentNotification(), never)).toEqual(OK);
  });

  test('a certificate that nobody vouches for gets neither the password nor the mail', async () => {
    await using receiver = await new SmtpReceiver({ ...login, key, cert, disabledCommands: [] }).listen();
    const outcome = await notifierFor(receiver, { tls: 'starttls', host: 'localhost', auth }).notify(incidentNotification(), never);
    expect(outcome).toMatchObject({ ok: false, retryable: true });
    expect(receiver.mails).toEqual([]);
  });

  test('a certificate that has expired is named, and gets neither the password nor the mail', async () => {
    const old = selfSigned({ notAfter: '210101000000Z' });
    for (const [tls, options] of [
      ['starttls', { disabledCommands: [] }],
      ['implicit', { secure: true }],
    ] as const) {
      await using receiver = await new SmtpReceiver({ ...login, ...old, ...options, disabledCommands: [] }).listen();
      const outcome = await notifierFor(receiver, { tls, host: 'localhost', ca: old.cert, auth }).notify(incidentNotification(), never);
      expect(outcome).toEqual({ ok: false, retryable: true, reason: 'the mail server was not reached: its certificate has expired' });
      expect(receiver.mails).toEqual([]);
    }
  });

  test('with a DKIM key each mail is signed over its body: the hash is recomputed here by hand', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await using receiver = await new SmtpReceiver().listen();
    const dkim = { domain: 'example.com', selector: 'kw1', privateKey: new Secret(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()) };
    expect(await notifierFor(receiver, { dkim }).notify(incidentNotification(), never)).toEqual(OK);
    const raw = receiver.mails[0]?.raw ?? '';
    const end = raw.indexOf('\r\n\r\n');
    const header = /^DKIM-Signature: ((?:.|\r\n[ \t])*)\r\n/im.exec(raw.slice(0, end + 2))?.[1] ?? '';
    const tags = new Map(
      header
        .replace(/\s+/g, '')
        .split(';')
        .map((tag): [string, string] => [tag.slice(0, tag.indexOf('=')), tag.slice(tag.indexOf('=') + 1)]),
    );
    expect([tags.get('d'), tags.get('s'), tags.get('a'), tags.get('c')]).toEqual(['example.com', 'kw1', 'rsa-sha256', 'relaxed/relaxed']);
    // RFC 6376 3.4.4: runs of blanks are one, none at the end of a line, no empty lines at the end.
    const body = raw
      .slice(end + 4)
      .replace(/[ \t]+/g, ' ')
      .replace(/ \r\n/g, '\r\n')
      .replace(/(?:\r\n)*$/, '\r\n');
    expect(tags.get('bh')).toBe(createHash('sha256').update(body, 'latin1').digest('base64'));
    expect(publicKey.asymmetricKeyType).toBe('rsa');
  });

  test('a server without STARTTLS gets nothing when it is asked for', async () => {
    await using receiver = await new SmtpReceiver().listen();
    expect(await notifierFor(receiver, { tls: 'starttls' }).notify(incidentNotification(), never)).toMatchObject({ ok: false });
    expect(receiver.mails).toEqual([]);
  });

  test('a wrong password is not tried again, and is in no reason', async () => {
    await using receiver = await new SmtpReceiver({ ...login, key, cert, disabledCommands: [] }).listen();
    const outcome = await notifierFor(receiver, {
      tls: 'starttls',
      host: 'localhost',
      ca: cert,
      auth: { user: 'keywatch', password: new Secret('another-secret') },
    }).notify(incidentNotification(), never);
    expect(outcome).toMatchObject({ ok: false, retryable: false, reason: expect.stringContaining('535') });
    expect(JSON.stringify(outcome)).not.toContain('another-secret');
  });
});

describe('configuration', () => {
  const base = { host: 'mail.example.com', from: 'keywatch@example.com', to: ['a@example.com'] };

  test('defaults: port 587 with STARTTLS, high and above', () => {
    const config = emailConfig.parse(base);
    expect(config).toMatchObject({ port: 587, timeout: 20_000, fromName: 'Keywatch' });
    expect([tlsOf(config), tlsOf({ port: 465 }), tlsOf({ port: 25, tls: 'none' })]).toEqual(['starttls', 'implicit', 'none']);
  });

  const refused: readonly (readonly [string, object])[] = [
    ['a password in the clear', { tls: 'none', auth: { user: 'x', password: new Secret('p') } }],
    ['a password as text', { auth: { user: 'x', password: 'p' } }],
    ['no recipient', { to: [] }],
    ['an address with a name', { to: ['A <a@example.com>'] }],
    ['an address with a line break', { from: 'a@example.com\r\nBcc: b@example.com' }],
    ['an unknown key', { colour: 'red' }],
  ];
  for (const [what, parts] of refused) {
    test(`${what} is refused`, () => {
      expect(emailConfig.safeParse({ ...base, ...parts }).success).toBe(false);
    });
  }
});
