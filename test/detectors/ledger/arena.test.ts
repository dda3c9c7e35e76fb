import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Arena } from '../../../detectors/ledger/arena.ts';

test('every block reads back what was last put into it', () => {
  const write = fc.record({ block: fc.nat(9), content: fc.uint8Array({ maxLength: 700 }) });
  fc.assert(
    fc.property(fc.array(write, { maxLength: 80 }), (writes) => {
      const arena = new Arena();
      const blocks = new Map<number, { ref: number; content: Uint8Array }>();
      for (const { block, content } of writes) blocks.set(block, { ref: arena.put(blocks.get(block)?.ref ?? 0, content), content });
      for (const { ref, content } of blocks.values()) expect(arena.read(ref)).toEqual(content);
    }),
  );
});

test('a row that grows a little with every delivery does not pile up', () => {
  const arena = new Arena();
  let ref = 0;
  for (let size = 40; size < 400; size++) ref = arena.put(ref, new Uint8Array(size));
  expect(arena.size).toBeLessThan(4096);
});

test('a chain is visited from its front, and keeps its links when a block moves', () => {
  const arena = new Arena();
  const first = arena.put(0, Uint8Array.of(1));
  const second = arena.put(0, Uint8Array.of(2));
  arena.link(second, first);
  const moved = arena.put(second, new Uint8Array(100).fill(3));
  const seen: number[] = [];
  arena.each(moved, (content) => seen.push(content[0] ?? 0));
  expect(seen).toEqual([3, 1]);
});
