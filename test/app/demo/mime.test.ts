import { createTransport } from 'nodemailer';
import { describe, expect, test } from 'vitest';
import { readMail } from '../../../app/demo/mime.ts';

/** The bytes that nodemailer, the client that Keywatch uses, would send. */
async function composed(mail: {
  readonly subject: string;
  readonly text: string;
  readonly html?: string;
  readonly textEncoding?: 'base64' | 'quoted-printable';
}): Promise<Buffer> {
  const sent = await createTransport({ streamTransport: true, buffer: true, newline: 'windows' }).sendMail({
    from: 'a@example.test',
    to: 'b@example.test',
    ...mail,
  });
  if (!Buffer.isBuffer(sent.message)) throw new Error('no bytes');
  return sent.message;
}

describe('mail reader', () => {
  const TEXT = 'Zeile 1: 1.001 Anfragen, Grenze 1.000 – sofort prüfen\n\n▁▂▃▇ a=b & <c>\nend';

  test('subject and text come back as they were written, in every encoding', async () => {
    for (const textEncoding of ['base64', 'quoted-printable'] as const) {
      const mail = readMail(await composed({ subject: 'plain', text: TEXT, textEncoding }));
      expect(mail).toEqual({ subject: 'plain', text: TEXT, hasHtml: false });
    }
  });

  test('of text and HTML the text is shown, and the HTML is noticed', async () => {
    const mail = readMail(await composed({ subject: 'twin', text: TEXT, html: '<p>not this</p>' }));
    expect(mail).toEqual({ subject: 'twin', text: TEXT, hasHtml: true });
  });

  test('a long subject with letters of all kinds is one line again', async () => {
    const subject = `[Keywatch CRITICAL] schlüssel “größer” ${'sehr '.repeat(30)}lang ✓`;
    expect(readMail(await composed({ subject, text: 'x' })).subject).toBe(subject);
  });

  test('what is no mail at all is empty, not an exception', () => {
    expect(readMail(Buffer.from(''))).toEqual({ subject: '', text: '', hasHtml: false });
    expect(readMail(Buffer.from([0xff, 0, 0x3d, 0x0d])).subject).toBe('');
  });
});
