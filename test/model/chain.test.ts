import { describe, expect, test } from 'vitest';
import type { Flaw, Model, WorldStep } from './chain-model.ts';
import { check } from './checker.ts';

/**
 * What one partition goes through is the same whatever happens to the others: they share nothing but the moment at which a
 * worker dies, and that may be any. So one partition with three segments is walked whole; the walk of two at once, which
 * shows the same from the outside, takes minutes and is part of `npm run soak:law` (KEYWATCH_MODEL=full).
 */
const one = (seconds: readonly number[], world: readonly WorldStep[], successor: readonly number[] = [0]): Model => ({
  partitions: 1,
  records: [[seconds, successor]],
  world,
});

const isFull = process.env['KEYWATCH_MODEL'] === 'full';
const STATES_MAX = isFull ? 2_000_000 : 400_000;

const WALKS: readonly (readonly [string, Model])[] = [
  ['three segments, two workers that die, take over and go on as zombies, while retention passes', one([0, 60, 120], ['retention'])],
  ['a stranger who commits', one([0, 60], ['retention', 'foreign commit'])],
  ['a new generation, whatever the older one left', one([0, 60], ['new generation'])],
  ['a topic that is made anew while it is read', one([0], ['new log', 'new generation'], [0, 60])],
];

const FULL: readonly (readonly [string, Model])[] = [
  ['segments of two records', one([0, 30, 60, 120], [])],
  ['retention in the middle of a segment', one([0, 30, 60], ['retention'])],
  ['a new generation in the middle of a segment', one([0, 30, 60], ['new generation'])],
  ['a topic that is made anew in the middle of a segment', one([0, 30], ['new log', 'new generation'], [0, 60])],
  ['everything at once', one([0], ['new log', 'new generation', 'retention', 'foreign commit'])],
  [
    'two partitions and two workers',
    {
      partitions: 2,
      records: [
        [[0], [0]],
        [[0], [0]],
      ],
      world: [],
    },
  ],
];

describe('in every interleaving no record is lost or counted twice, the judge is told what is stored, and no commit is ahead', () => {
  test.each(isFull ? [...WALKS, ...FULL] : WALKS)(
    '%s',
    (name, model) => {
      const { states, violation } = check(model, STATES_MAX);
      expect(violation).toBeUndefined();
      expect(states).toBeGreaterThan(1000);
      if (isFull) process.stdout.write(`model: ${states} states: ${name}\n`);
    },
    3_600_000,
  );
});

describe('the checker finds what a careless protocol gets wrong', () => {
  const flaws: readonly (readonly [Flaw, Model, RegExp])[] = [
    ['no gates', one([0, 30], []), /counted 2 times|is (stored|told) [02] times/],
    ['no opening head', one([0, 60], ['new generation']), /2 times/],
    ['end before judge', one([0, 60], []), /was not told|is told 0 times/],
    ['not told again', one([0, 30], []), /was not told|is told 0 times/],
    ['commit first', one([0, 60], []), /where no segment has ended/],
    ['head before rows', one([0, 30], []), /stored 0 times/],
    ['position from commit', one([0, 60, 120], ['foreign commit']), /times/],
    ['older generation left open', one([0, 30], ['new generation']), /2 times/],
  ];
  test.each(flaws)('%s', (flaw, model, what) => {
    expect(check({ ...model, flaw }, STATES_MAX).violation?.what).toMatch(what);
  });
});
