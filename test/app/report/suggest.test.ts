import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { keysSchema } from '../../../app/config/schema/keys.ts';
import type { Suggestion } from '../../../app/report/report.ts';
import { suggestYaml } from '../../../app/report/suggest.ts';
import { type EntityId, entityId } from '../../../core/types.ts';
import { HOSTILE_TEXTS } from './hostile.ts';

const FINGERPRINT = `kf1_9f3c12ab${'0'.repeat(24)}`;

function suggestion(over: Partial<Suggestion> = {}): Suggestion {
  return {
    entity: entityId('key', FINGERPRINT),
    label: 'billing',
    rule: 'request_rate',
    unit: 'requests',
    warning: 700,
    critical: 1400,
    usual: 540,
    alerts: 8,
    remaining: 0,
    ...over,
  };
}

const read = (entity: EntityId, label = 'x') => keysSchema.parse(parse(suggestYaml([suggestion({ entity, label })])).keys).list;

describe('suggested limits as YAML', () => {
  test('are what the configuration reads: one entry per key, limits in its own units', () => {
    const text = suggestYaml([
      suggestion(),
      suggestion({ rule: 'data_transfer', unit: 'bytes', warning: 1.5 * 1024 ** 3, critical: 3 * 1024 ** 3, usual: 1024 ** 3 }),
      suggestion({
        entity: entityId('client', '192.0.2.1 curl/8.5.0'),
        label: '192.0.2.1 curl/8.5.0',
        rule: 'error_rate',
        unit: 'ratio',
        warning: 0.075,
        critical: 0.15,
        usual: 0.061,
      }),
      suggestion({ entity: entityId('user', 'alice'), label: 'alice', rule: 'failed_auth', unit: 'failures', warning: 20, critical: 80 }),
    ]);
    const keys = keysSchema.parse(parse(text).keys).list;
    expect(keys.map(({ id, label, rules }) => ({ id, label, rules }))).toEqual([
      {
        id: FINGERPRINT,
        label: 'billing',
        rules: { request_rate: { warning: 700, critical: 1400 }, data_transfer: { warning: 1_610_612_736, critical: 3_221_225_472 } },
      },
      { id: 'client:192.0.2.1 curl/8.5.0', label: '192.0.2.1 curl/8.5.0', rules: { error_rate: { warning: 0.075, critical: 0.15 } } },
      { id: 'user:alice', label: 'alice', rules: { failed_auth: { warning: 20, critical: 80 } } },
    ]);
  });

  test('an id is kept letter by letter, whatever traffic put into it', () => {
    for (const text of HOSTILE_TEXTS.filter((text) => text.isWellFormed())) expect(read(entityId('client', text))[0]?.id).toBe(`client:${text}`);
  });

  test('no hostile label breaks out of its entry or reaches the terminal raw', () => {
    for (const label of [...HOSTILE_TEXTS, 'x\nrules: {}\nkeys: []', '- &a *a !!js/function', '# comment', 'null', '12', '']) {
      const text = suggestYaml([suggestion({ label })]);
      expect(parse(text).keys.length).toBe(1);
      expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u200b\u202a-\u202e\u2066-\u2069]/u);
    }
  });

  test('an id that looks like a secret is declared public, a label that does is left out', () => {
    const id = 'q8Zt3Lw0Xv7Rm2Kc9Bn4Hs6J';
    expect(read(entityId('key', id), id)).toMatchObject([{ id, publicId: true }]);
    expect(read(entityId('key', id), id)[0]?.label).toBeUndefined();
  });

  test('says what is usual and how many alerts would remain', () => {
    expect(suggestYaml([suggestion()])).toContain('# 99.9 % of the time at most 540 requests; of 8 alerts 0 would remain');
    expect(suggestYaml([suggestion({ unit: 'bytes', rule: 'data_transfer', usual: 1024 ** 3, alerts: 1, remaining: 1 })])).toContain(
      'at most 1 GB; of 1 alert 1 would remain',
    );
  });

  test('nothing to suggest is nothing', () => expect(suggestYaml([])).toBe(''));
});
