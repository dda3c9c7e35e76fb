import { describe, expect, test } from 'vitest';
import { Terminal } from '../../../app/demo/terminal.ts';
import { sink } from '../cli/capture.ts';

describe('terminal', () => {
  test('comes and goes: the cursor and the first screen are back after the end, once', () => {
    const out = sink(80);
    const terminal = new Terminal(out.stream);
    terminal.open();
    terminal.draw(['a', 'b']);
    terminal[Symbol.dispose]();
    terminal[Symbol.dispose]();
    terminal.draw(['too late']);
    expect(out.text().startsWith('\u001b[?1049h\u001b[?25l')).toBe(true);
    expect(out.text().endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
    expect(out.text().split('\u001b[?1049l')).toHaveLength(2);
    expect(out.text()).not.toContain('too late');
  });

  test('only changed lines are written; after a resize all of them', () => {
    const out = sink(80);
    const stream = Object.assign(out.stream, { columns: 80, rows: 24 });
    using terminal = new Terminal(stream);
    terminal.open();
    terminal.draw(['one', 'two']);
    const before = out.text().length;
    terminal.draw(['one', 'two']);
    expect(out.text()).toHaveLength(before);
    terminal.draw(['one', 'three']);
    expect(out.text().slice(before)).toContain('\u001b[2;1Hthree');
    expect(out.text().slice(before)).not.toContain('one');
    const resized = out.text().length;
    Object.assign(stream, { columns: 100 });
    terminal.draw(['one', 'three']);
    expect(out.text().slice(resized)).toContain('\u001b[2J');
    expect(out.text().slice(resized)).toContain('one');
  });

  test('a process that ends in the middle still gets its screen back, and no listener is left behind', () => {
    const listeners = process.listenerCount('exit');
    const out = sink(80);
    const terminal = new Terminal(out.stream);
    terminal.open();
    expect(process.listenerCount('exit')).toBe(listeners + 1);
    terminal[Symbol.dispose]();
    expect(process.listenerCount('exit')).toBe(listeners);
  });
});
