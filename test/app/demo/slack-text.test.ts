import { describe, expect, test } from 'vitest';
import { slackLines } from '../../../app/demo/slack-text.ts';

describe('slack text', () => {
  test('blocks become lines from top to bottom, without markup', () => {
    const payload = {
      text: 'short',
      blocks: [
        { type: 'header', text: { type: 'plain_text', text: 'CRITICAL 94 · acme' } },
        { type: 'section', text: { type: 'mrkdwn', text: '*1,001* requests &lt; you &amp; me\n`code`' }, fields: [{ type: 'mrkdwn', text: '*Limit*\n1,000' }] },
        { type: 'section', text: { type: 'mrkdwn', text: '```▁▂▇```' } },
        {
          type: 'rich_text',
          elements: [
            {
              type: 'rich_text_section',
              elements: [
                { type: 'text', text: 'a' },
                { type: 'text', text: 'b' },
              ],
            },
          ],
        },
        { type: 'actions', elements: [{ type: 'button', text: { type: 'plain_text', text: 'Open' } }] },
        { type: 'divider' },
        {
          type: 'context',
          elements: [
            { type: 'mrkdwn', text: '<https://x.test|rule request_rate>' },
            { type: 'mrkdwn', text: 'id 7' },
          ],
        },
      ],
    };
    expect(slackLines(payload)).toEqual({
      subject: 'short',
      lines: ['CRITICAL 94 · acme', '1,001 requests < you & me', 'code', 'Limit 1,000', '▁▂▇', 'ab', '[Open]', 'rule request_rate id 7'],
    });
  });

  test('without blocks the text stands for them; attachments hold blocks too', () => {
    expect(slackLines({ text: 'a\nb' }).lines).toEqual(['a', 'b']);
    expect(slackLines({ text: 'a', attachments: [{ color: '#f00', blocks: [{ type: 'section', text: { type: 'mrkdwn', text: 'inner' } }] }] }).lines).toEqual([
      'inner',
    ]);
  });

  test('anything else gives nothing, not an exception', () => {
    for (const odd of [null, 7, 'x', [], {}, { blocks: 3 }, { blocks: [null, { type: 'section', text: 5 }] }]) expect(slackLines(odd).subject).toBe('');
  });
});
