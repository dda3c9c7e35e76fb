/** Texts that an attacker would send as a path, an agent or a name. */
export const HOSTILE_TEXTS: readonly string[] = [
  '<!channel> <!here> <!everyone> <@U012AB3CD> <#C012AB3CD>',
  '@here @channel @everyone look',
  '<https://evil.example/login|Acknowledge>',
  '[Acknowledge](https://evil.example/login) ![x](http://evil.example/p.png)',
  'https://evil.example/a?b=c http://198.51.100.7/ www.evil.example evil.example',
  'javascript:alert(1) data:text/html,x mailto:ceo@evil.example tel:+3120555',
  '<script>alert(1)</script><img src=x onerror=alert(1)><a href="https://evil.example">x</a>',
  '"><style>*{display:none}</style>&lt;b&gt;',
  'before\u202eafter\u2066x\u2069\u200f\u200b\u200d\ufeff\u00adend',
  'line one\r\nBcc: victim@example.com\r\n\r\nbody\u2028x\u0085y',
  'bell\u0007 null\u0000 escape\u001b[31mred\u001b[0m c1\u009b2J',
  '`code` *bold* _italic_ ~strike~ > quote',
  'a\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301zalgo',
  '=cmd|calc!A1',
  `${'x'.repeat(4000)}<!channel>${'\u202e'.repeat(1000)}${'<b>'.repeat(1000)}[a](http://b.example)${'\u0000'.repeat(1975)}`,
  '\ud83d'.repeat(50),
  '👩‍👩‍👧‍👦 family',
  '',
];

/** Written down a second time, from the Unicode chart: controls, bidi, zero-width, separators. First and last of each range. */
const NEVER_SHOWN: readonly (readonly [number, number])[] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x61c, 0x61c],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x2069],
  [0xfeff, 0xfeff],
];

/** The code points of a text that change how the text around them is read; line feeds are left to the caller. */
export function unseenIn(text: string): readonly string[] {
  return Array.from(text).filter((char) => {
    const point = char.codePointAt(0) ?? 0;
    return point !== 0x0a && NEVER_SHOWN.some(([first, last]) => point >= first && point <= last);
  });
}
