import type { Output } from '../cli/io.ts';

const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l';
/** Terminals that know it show a frame at once; the others ignore it. */
const BEGIN_FRAME = '\u001b[?2026h';
const END_FRAME = '\u001b[?2026l';

export type TerminalStream = Output & { readonly rows?: number };

/**
 * The second screen of a terminal, drawn line by line: only lines that changed are written. Whatever ends the
 * process, the first screen and the cursor come back.
 */
export class Terminal implements Disposable {
  readonly #stream: TerminalStream;
  #shown: readonly string[] = [];
  #isOpen = false;
  #size = '';
  readonly #onExit = (): void => this[Symbol.dispose]();

  constructor(stream: TerminalStream) {
    this.#stream = stream;
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    process.once('exit', this.#onExit);
    this.#stream.write(ENTER);
  }

  get columns(): number {
    return this.#stream.columns ?? 80;
  }

  get rows(): number {
    return this.#stream.rows ?? 24;
  }

  /** Shows these lines. After a resize everything is drawn again. */
  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return;
    const size = `${this.columns}x${this.rows}`;
    const isNew = size !== this.#size;
    let text = '';
    lines.forEach((line, index) => {
      if (isNew || line !== this.#shown[index]) text += `\u001b[${index + 1};1H${line}\u001b[0m\u001b[K`;
    });
    this.#size = size;
    this.#shown = lines;
    if (text !== '') this.#stream.write(`${BEGIN_FRAME}${isNew ? '\u001b[2J' : ''}${text}${END_FRAME}`);
  }

  /** Safe twice. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    process.off('exit', this.#onExit);
    this.#stream.write(LEAVE);
  }
}
