import { appendFileSync, copyFileSync, existsSync, readFileSync, renameSync, rmSync, truncateSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';

/** Plays a log writer and logrotate in a directory, and remembers every line that was written. */
export class RotatingLog {
  readonly written: string[] = [];
  readonly #live: string;
  readonly #name: string;
  readonly #now: () => number;
  readonly #header: string | undefined;
  #lines = 0;
  /** The beginning of a line that is not finished. */
  #partial = '';

  constructor(config: { readonly directory: string; readonly name: string; readonly now: () => number; readonly header?: string | undefined }) {
    this.#live = join(config.directory, config.name);
    this.#name = config.name;
    this.#now = config.now;
    this.#header = config.header;
  }

  path(index: number, suffix = ''): string {
    return index === 0 ? this.#live : `${this.#live}.${index}${suffix}`;
  }

  /** The highest rotated file there is, or 0. */
  get oldest(): number {
    let index = 0;
    while (this.#find(index + 1) !== undefined) index++;
    return index;
  }

  append(count: number, lengthMax: number): void {
    let text = '';
    if (this.#partial !== '') {
      text += ' and its end\n';
      this.written.push(`${this.#partial} and its end`);
      this.#partial = '';
    }
    if (this.#header !== undefined && (!existsSync(this.path(0)) || readFileSync(this.path(0)).length === 0)) {
      text += `${this.#header}\n`;
      this.written.push(this.#header);
    }
    for (let i = 0; i < count; i++) {
      const line = this.#line(lengthMax);
      text += `${line}\n`;
      this.written.push(line);
    }
    this.#write(text);
  }

  appendPartial(lengthMax: number): void {
    if (this.#partial !== '') return;
    this.append(1, lengthMax);
    this.#partial = this.#line(lengthMax);
    this.#write(this.#partial);
  }

  rotateByRename(): void {
    this.#finishLine();
    this.#shift();
    if (existsSync(this.path(0))) renameSync(this.path(0), this.path(1));
  }

  /** Calls `between` while half of the copy is written. */
  async rotateByCopy(between: () => Promise<void>): Promise<void> {
    this.#finishLine();
    if (!existsSync(this.path(0))) return;
    this.#shift();
    const content = readFileSync(this.path(0));
    writeFileSync(this.path(1), content.subarray(0, content.length >> 1));
    this.#touch(this.path(1));
    await between();
    copyFileSync(this.path(0), this.path(1));
    this.#touch(this.path(1));
    truncateSync(this.path(0));
    this.#touch(this.path(0));
  }

  /** Calls `between` while half of the archive is written. */
  async pack(index: number, suffix: '.gz' | '.zst', between: () => Promise<void>): Promise<void> {
    const plain = this.path(index);
    if (index === 0 || !existsSync(plain)) return;
    const content = readFileSync(plain);
    const packed = suffix === '.gz' ? gzipSync(content) : zstdCompressSync(content);
    const target = this.path(index, suffix);
    writeFileSync(target, packed.subarray(0, packed.length >> 1));
    this.#touch(target);
    await between();
    writeFileSync(target, packed);
    this.#touch(target);
    unlinkSync(plain);
  }

  /** Someone copies the live file and leaves the copy there. */
  backUp(): void {
    if (!existsSync(this.path(0))) return;
    const target = `${this.path(0)}.bak`;
    copyFileSync(this.path(0), target);
    this.#touch(target);
  }

  deleteOldest(): void {
    rmSync(`${this.path(0)}.bak`, { force: true });

    const found = this.#find(this.oldest);
    if (this.oldest > 0 && found !== undefined) unlinkSync(found);
  }

  finish(): void {
    this.#finishLine();
  }

  #finishLine(): void {
    if (this.#partial !== '') this.append(0, 1);
  }

  #line(lengthMax: number): string {
    const number = ++this.#lines;
    return `${number} ${this.#name} ${'abcdefghij'.repeat(40).slice(0, (number * 37) % lengthMax)}`;
  }

  #write(text: string): void {
    if (text === '') return;
    appendFileSync(this.path(0), text);
    this.#touch(this.path(0));
  }

  #shift(): void {
    for (let index = this.oldest; index > 0; index--) {
      const found = this.#find(index);
      if (found !== undefined) renameSync(found, this.path(index + 1, found.slice(this.path(index).length)));
    }
  }

  #find(index: number): string | undefined {
    return ['', '.gz', '.zst'].map((suffix) => this.path(index, suffix)).find((path) => existsSync(path));
  }

  #touch(path: string): void {
    utimesSync(path, this.#now() / 1000, this.#now() / 1000);
  }
}
