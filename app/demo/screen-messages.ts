import type { Paint } from '../cli/style.ts';
import { printable, wrap } from '../cli/text.ts';
import { columnsOf, cut, line } from './line.ts';
import { clock, type ScreenModel } from './screen-model.ts';
import type { ReceivedMessage } from './types.ts';

/** Side by side from here on. */
const TWO_BOXES_COLUMNS = 96;

/** The newest message of each channel in a frame, as the receivers on loopback got them, in `rows` lines with a blank one at the end. */
export function messageLines(model: ScreenModel, rows: number, columns: number, paint: Paint): readonly string[] {
  if (rows < 4) return [];
  const newest = (channel: ReceivedMessage['channel']): Framed => {
    const all = model.messages.filter((message) => message.channel === channel);
    return { name: channel === 'slack' ? 'Slack' : 'email', count: all.length, message: all.at(-1) };
  };
  const height = rows - 1;
  const [slack, email] = [newest('slack'), newest('email')];
  if (columns < TWO_BOXES_COLUMNS) {
    const shown = (email.message?.at ?? 0) > (slack.message?.at ?? 0) && slack.message === undefined ? email : slack;
    return [
      ...frame({ ...shown, name: `Slack (${slack.count}) and email (${email.count})`, count: 0 }, height, columns - 2, paint).map((text) => ` ${text}`),
      '',
    ];
  }
  const width = Math.floor((columns - 3) / 2);
  const left = frame(slack, height, width, paint);
  const right = frame(email, height, width, paint);
  return [...left.map((text, index) => ` ${text} ${right[index] ?? ''}`), ''];
}

type Framed = { readonly name: string; readonly count: number; readonly message: ReceivedMessage | undefined };

function frame(framed: Framed, height: number, width: number, paint: Paint): readonly string[] {
  const inner = width - 4;
  const when = framed.message === undefined ? '' : ` ${clock(framed.message.at)}`;
  const title = cut(` ${framed.name}${framed.count === 0 ? '' : ` (${framed.count})`} as received${when} `, Math.max(0, width - 4));
  const body = framed.message === undefined ? ['nothing was sent yet'] : contentOf(framed.message, inner, height - 2);
  const rows = Array.from({ length: height - 2 }, (_, index) => {
    const text = cut(body[index] ?? '', inner);
    const fill = ' '.repeat(Math.max(0, inner - columnsOf(text)));
    return line([['│ ', 'dim'], [text, framed.message === undefined ? 'dim' : index === 0 ? 'bold' : undefined], fill, [' │', 'dim']], width, paint);
  });
  const top = line([['╭─', 'dim'], title, [`${'─'.repeat(Math.max(0, width - 3 - columnsOf(title)))}╮`, 'dim']], width, paint);
  const bottom = line([[`╰${'─'.repeat(Math.max(0, width - 2))}╯`, 'dim']], width, paint);
  return [top, ...rows, bottom];
}

/** The subject of a mail stands above its text; a Slack message begins with its header. */
function contentOf(message: ReceivedMessage, width: number, rows: number): readonly string[] {
  const lines = [...(message.channel === 'email' ? [message.subject] : []), ...message.text.split('\n')].map(printable).filter((text) => text.trim() !== '');
  const wrapped = lines.flatMap((text) => wrap(text, width));
  return wrapped.length <= rows || rows < 3 ? wrapped.slice(0, rows) : [...wrapped.slice(0, rows - 1), '…'];
}
