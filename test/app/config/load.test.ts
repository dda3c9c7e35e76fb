import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { ruleLimits } from '../../../app/config/config.ts';
import { type LoadOptions, type LoadedConfig, loadConfig } from '../../../app/config/load.ts';
import { entityId } from '../../../core/types.ts';
import { Directory } from '../../../keys/directory.ts';
import { workspace } from './support.ts';

const { root, write, load, faultsOf, remove } = workspace();
afterAll(remove);

describe('defaults', () => {
  test('no file is needed', () => {
    const { config, file } = loadConfig({ env: { HOME: '/home/kw' }, cwd: root });
    expect(file).toBeUndefined();
    expect(config.sources).toEqual([]);
    expect(config.store).toEqual({
      directory: '/home/kw/.local/state/keywatch',
      isDirectoryGiven: false,
      // 3 d, 35 d, 430 d, 7 × 365 d, 20 × 1024³
      retention: { partialsMs: 259_200_000, minutesMs: 3_024_000_000, hoursMs: 37_152_000_000, daysMs: 220_752_000_000, bytesMax: 21_474_836_480 },
    });
    expect(config.alerts.digest).toEqual({ enabled: true, at: '09:00', timezone: Intl.DateTimeFormat().resolvedOptions().timeZone });
    expect(config.pepper).toBeUndefined();
  });

  test('the shipped limits are those of the design', () => {
    const { config } = loadConfig({ env: {}, cwd: root });
    expect(ruleLimits(config, 'request_rate')).toEqual({ warning: 500, critical: 1000 });
    expect(ruleLimits(config, 'error_rate')).toEqual({ warning: 0.05, critical: 0.1 });
    expect(ruleLimits(config, 'data_transfer')).toEqual({ warning: 524_288_000, critical: 1_073_741_824 });
    expect(ruleLimits(config, 'failed_auth')).toEqual({ warning: 10, critical: 50 });
    expect(ruleLimits(config, 'toString')).toEqual({ warning: undefined, critical: undefined });
  });

  test('an empty file and empty sections are as good as absent ones', () => {
    const { config } = load('sources:\nstore:\n  retention:\n# nothing\n');
    expect(config.store.retention.minutesMs).toBe(3_024_000_000);
  });

  test('the configuration is frozen all the way down, and can be loaded again', () => {
    const first = load('keys: [{id: a, label: b}]').config;
    expect(Object.isFrozen(first.directory.keys[0]?.rules)).toBe(true);
    expect(Object.isFrozen(first.clients.trustedProxies)).toBe(true);
    expect(load('keys: [{id: a, label: b}]').config).toEqual(first);
  });
});

describe('precedence', () => {
  const yaml = 'store: {retention: {minutes: 10d}, directory: fromfile}\nlog: {level: warn}\n';

  test('flags win over the environment, which wins over the file, which wins over the defaults', () => {
    const env = { HOME: '/h', KEYWATCH_STORE__RETENTION__MINUTES: '20d', KEYWATCH_LOG__LEVEL: 'debug' };
    const days = (config: LoadedConfig): number => config.config.store.retention.minutesMs / 86_400_000;
    expect(days(load(''))).toBe(35);
    expect(days(load(yaml))).toBe(10);
    expect(days(load(yaml, { env }))).toBe(20);
    const all = load(yaml, { env, sets: ['store.retention.minutes=30d', 'store.retention.minutes=40d'] });
    expect(days(all)).toBe(40);
    expect(all.config.log.level).toBe('debug');
  });

  test('--data-dir wins over KEYWATCH_DATA_DIR, which wins over the file; relative paths start where they were written', () => {
    const directory = (more: Partial<LoadOptions>): string => load(yaml, { cwd: write(yaml), ...more }).config.store.directory;
    const cwd = write(yaml);
    expect(load(yaml, { cwd }).config.store.directory).toBe(join(cwd, 'fromfile'));
    expect(load(yaml, { cwd: '/', file: join(cwd, 'keywatch.yml') }).config.store.directory).toBe(join(cwd, 'fromfile'));
    expect(load(yaml, { cwd, env: { KEYWATCH_DATA_DIR: 'fromenv' } }).config.store.directory).toBe(join(cwd, 'fromenv'));
    expect(directory({ env: { KEYWATCH_DATA_DIR: '/env' } })).toBe('/env');
    expect(directory({ env: { KEYWATCH_DATA_DIR: '/env' }, dataDir: '/flag' })).toBe('/flag');
  });

  test('XDG_STATE_HOME decides the default data directory; a relative one does not count', () => {
    expect(load('', { env: { XDG_STATE_HOME: '/x', HOME: '/h' } }).config.store.directory).toBe('/x/keywatch');
    expect(load('', { env: { XDG_STATE_HOME: 'x', HOME: '/h' } }).config.store.directory).toBe('/h/.local/state/keywatch');
  });

  test('KEYWATCH_CONFIG names the file; --config wins', () => {
    const a = join(write('log: {level: warn}'), 'keywatch.yml');
    const b = join(write('log: {level: error}'), 'keywatch.yml');
    expect(loadConfig({ env: { KEYWATCH_CONFIG: a }, cwd: root }).config.log.level).toBe('warn');
    expect(loadConfig({ env: { KEYWATCH_CONFIG: a }, cwd: root, file: b }).config.log.level).toBe('error');
  });
});

describe('faults', () => {
  test('all at once, in the order of the file, as file:line:column with the line and a caret', () => {
    const said = faultsOf(
      [
        'sources:', //
        '  - file: a.log',
        '    formt: kong',
        'rules:',
        '  request_rat: {warning: 5}',
        '  error_rate: {warning: 50%, critical: 10%}',
        'store:',
        '  retention: {minutes: 35}',
        'alerts: {fallback: nobody}',
        'keys:',
        '  - {id: a, plan: gold}',
        'plans: {golden: {}}',
      ].join('\n'),
      { sets: ['limits.entities=5'] },
    );
    expect(said).toBe(
      [
        "keywatch.yml:3:5 sources.0.formt: unknown setting (did you mean 'format'?)",
        '    3 |     formt: kong',
        '      |     ^^^^^',
        "keywatch.yml:5:3 rules.request_rat: unknown setting (did you mean 'request_rate'?)",
        '    5 |   request_rat: {warning: 5}',
        '      |   ^^^^^^^^^^^',
        'keywatch.yml:6:25 rules.error_rate.warning: the warning (50%) must be below the critical limit (10%), or one of them off',
        '    6 |   error_rate: {warning: 50%, critical: 10%}',
        '      |                         ^^^',
        'keywatch.yml:8:24 store.retention.minutes: a duration needs a unit: 35s, 35m, 35h or 35d',
        '    8 |   retention: {minutes: 35}',
        '      |                        ^^',
        "keywatch.yml:9:20 alerts.fallback: there is no channel 'nobody' under alerts.channels",
        '    9 | alerts: {fallback: nobody}',
        '      |                    ^^^^^^',
        "keywatch.yml:11:17 keys.0.plan: there is no plan 'gold' under plans (did you mean 'golden'?)",
        '   11 |   - {id: a, plan: gold}',
        '      |                 ^^^^',
        '--set limits.entities: must be at least 100',
        '7 problems in the configuration',
      ]
        .join('\n')
        .replace('11:17', '11:19')
        .replace('      |                 ^^^^\n--set', '      |                   ^^^^\n--set'),
    );
  });

  test.each([
    ['storr: {}', "1:1 storr: unknown setting (did you mean 'store'?)"],
    ['store: {minutes: 10d}', "1:9 store.minutes: unknown setting here (did you mean 'store.retention.minutes'?)"],
    // The name stands in two places of the schema: the one in the same section is meant.
    ['store: {bytesMax: 1GB}', "1:9 store.bytesMax: unknown setting here (did you mean 'store.retention.bytesMax'?)"],
    ['bytesMax: 1GB', '1:1 bytesMax: unknown setting'],
    [
      'sources: [{kafka: {topics: access}}]',
      '1:12 sources.0.kafka.brokers: is missing; expected host:port, or a list of them; for instance brokers: [kafka-1.example.com:9092, kafka-2.example.com:9092]',
    ],
    ['sources: [{kafka: {brokers: [], topics: access}}]', '1:29 sources.0.kafka.brokers: expected host:port, or a list of them'],
    [
      'store: {elasticsearch: {prefix: kw}}',
      '1:9 store.elasticsearch.nodes: is missing; expected an address with its scheme, or a list of them; for instance nodes: [https://es.example.com:9200]',
    ],
    ['log: {level: 5}', '1:14 log.level: expected one of trace'],
    ['log: {level: inf}', "(did you mean 'info'?)"],
    ['sources: a.log', '1:10 sources: expected a list, found text'],
    ['sources: [a.log]', '1:11 sources.0: expected a section with "name: value" lines, found text'],
    ['sources: [{format: kong}]', 'a source needs exactly one of file, stdin: true and kafka'],
    ['sources: [{file: a, stdin: true}]', 'a source needs exactly one of file, stdin: true and kafka'],
    ['sources: [{file: a, format: kong, map: {time: t}}]', '1:40 sources.0.map: a map is for format json, not for kong'],
    ['sources: [{stdin: true}, {stdin: true}]', 'standard input can be read only once'],
    ['sources: [{file: []}]', 'expected a path, a glob'],
    ['format: {map: {tim: ts}}', "did you mean 'time'?"],
    ['clients: {trustedProxies: [10.0.0.0/40]}', '1:28 clients.trustedProxies.0: expected an address or a range'],
    ['clients: {trustedProxies: [nonsense]}', 'expected an address or a range'],
    ['rules: {error_rate: {critical: 10}}', 'for percent write 10%, or off'],
    ['rules: {request_rate: {critical: -1}}', 'expected a whole number'],
    ['plans: {a: {rules: {request_rate: {warning: 2000}}}}', 'must be below the critical limit (1000)'],
    ['keys: [{id: a, rules: {request_rate: {critical: 400}}}]', 'what is not set here falls through to the plan'],
    ['keys: [{id: a}, {id: a}]', '1:22 keys.1.id: this key is listed twice, first as keys.0'],
    ['keys: [{id: a, successor: b}, {id: b, successor: a}]', 'take over from each other in a circle'],
    ['keys: [{id: a, successor: a}]', 'a key cannot take over from itself'],
    ['keys: [{label: a}]', 'this names no key'],
    ['keys: [{owner: a}]', 'a key needs one of id, fingerprint and match'],
    ['keys: [{match: a*, label: b}]', 'label does not go with match'],
    ['keys: [{id: 12345}]', 'expected text, found a number; put it in quotes'],
    ['keys: [{fingerprint: kf1_short}]', 'expected kf1_ and 32 hex digits'],
    ['alerts: {digest: {at: "25:00"}}', 'expected a time of day such as 09:00'],
    ['alerts: {digest: {timezone: Europe/Berln}}', 'no such time zone'],
    ['alerts: {channels: {slack: [{name: a}]}}', 'alerts.channels.slack.0: give exactly one of webhookUrl and bot'],
    ['alerts: {channels: {email: [{name: a, host: h, from: x, to: [b@c.d]}]}}', 'not a plain mail address'],
    ['publicUrl: keywatch', 'expected an address such as https://'],
    ['publicUrl: https://me:hunter2@keywatch.example.com', 'a password must not stand in an address that people see'],
    ['alerts: {links: {kibana: https://kibana.example.com}}', 'without store.elasticsearch there is nothing to see in Kibana'],
    ['alerts: {links: {kibana: kibana}}', 'expected an address such as https://kibana.example.com'],
    ['alerts: {links: {runbook: javascript:alert(1)}}', 'expected an address such as https://wiki.example.com'],
    ['alerts: {links: {runbook: [a]}}', 'or one for each rule'],
    ['alerts: {links: {runbook: {eror_rate: https://wiki.example.com}}}', "there is no rule 'eror_rate' (did you mean 'error_rate'?)"],
    ['store: {retention: {hours: 1d}}', 'must not be shorter than minutes'],
    ['limits: {lineBytes: lots}', 'expected a size such as'],
    ['- a', 'expected settings, one "name: value" per line'],
    ['just text', 'expected settings'],
    ['a: b: c', '1:4: a second "name: value" where one is expected'],
    ['store:\n\tdirectory: x', '2:1: a tab; YAML is indented with spaces only'],
    ['log: {}\nlog: {}', '2:1: this name stands twice'],
    ['log: {level: info', 'a bracket is not closed'],
    ['log: "x', 'something is missing here'],
    ['log: &a {level: info}\n---\nx: 1', 'a second document begins here'],
    ['log: !env X', 'tags (!name) are not supported'],
    ['log: *nowhere', 'an anchor that does not exist'],
  ])('%s', (yaml, want) => {
    expect(faultsOf(yaml)).toContain(want);
  });

  test('anchors and merges are followed to where a value stands', () => {
    const said = faultsOf('plans:\n  a: &a\n    rules: {request_rate: {critical: x}}\n  b: {<<: *a}\n  c: *a\n');
    expect(said.match(/keywatch\.yml:3:38/g)).toHaveLength(3);
  });

  test('a file that is missing, a directory, not UTF-8 or huge is one clear line', () => {
    const directory = write('x: 1');
    writeFileSync(join(directory, 'latin1.yml'), Buffer.from([0x61, 0x3a, 0x20, 0xe9]));
    writeFileSync(join(directory, 'huge.yml'), Buffer.alloc(5 * 1024 * 1024, 32));
    for (const [file, want] of [
      ['nope.yml', 'cannot read the configuration file nope.yml: it does not exist'],
      ['.', 'is not a file'],
      ['latin1.yml', 'not UTF-8'],
      ['huge.yml', 'too large for a configuration file (5 MB, at most 4 MB)'],
    ] as const) {
      expect(() => loadConfig({ env: {}, cwd: directory, file })).toThrow(want);
      expect(() => loadConfig({ env: {}, cwd: directory, file })).not.toThrow('\n');
    }
  });

  test('no text whatever makes the loader fail in another way', () => {
    const piece = fc.constantFrom(
      'a',
      ': ',
      '\n',
      '  ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '&x',
      '*x',
      '!t',
      '|',
      '>',
      '#',
      '%',
      '@',
      'sources',
      'keys',
      'rules',
      'id',
      '5',
      '\t',
      '---',
      '<<',
      '? ',
      'url: ',
      'sk_live_4eC39HqLyjWDarjtT1zdp7dc',
    );
    const cwd = write('');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
        writeFileSync(join(cwd, 'keywatch.yml'), pieces.join(''));
        expect(faultsOf('', { cwd })).not.toContain('sk_live_4eC39');
      }),
      { numRuns: 500 },
    );
  });
});

describe('what the program gets', () => {
  test('sources inherit what they do not say', () => {
    const cwd = write(
      'keyNames: [k]\nkeyBy: user\nformat: {map: {time: t, status: s}, latencyUnit: s}\nsources:\n  - {file: [a.log, /b.log]}\n  - {stdin: true, map: {status: code}, keyNames: [z], keyBy: key, latencyUnit: us, format: json, envelope: syslog}\n',
    );
    const { sources, reading } = loadConfig({ env: {}, cwd }).config;
    expect(sources).toEqual([
      {
        kind: 'file',
        patterns: [join(cwd, 'a.log'), '/b.log'],
        format: 'auto',
        envelope: 'auto',
        map: { fields: { time: 't', status: 's' }, latencyUnit: 's' },
        keyNames: ['k'],
        keyBy: 'user',
      },
      {
        kind: 'stdin',
        format: 'json',
        envelope: 'syslog',
        map: { fields: { time: 't', status: 'code' }, latencyUnit: 'us' },
        keyNames: ['z'],
        keyBy: 'key',
      },
    ]);
    expect(reading).toEqual({
      format: 'auto',
      envelope: 'auto',
      map: { fields: { time: 't', status: 's' }, latencyUnit: 's' },
      keyNames: ['k'],
      keyBy: 'user',
    });
  });

  test('limits of keys, labels, patterns and plans reach the directory', () => {
    const { config } = load(
      [
        'plans: {gold: {rules: {request_rate: {warning: 5000, critical: 9000}, data_transfer: {critical: off}}}}', //
        'keys:',
        '  - {id: "key:app-1", label: one, plan: gold, rules: {request_rate: {critical: 7000}}}',
        '  - {match: "client:*", rules: {request_rate: {enabled: false}}}',
      ].join('\n'),
    );
    const directory = new Directory(config.directory);
    const limits = (rule: string, entity: ReturnType<typeof entityId>) => directory.limits(rule, entity, ruleLimits(config, rule));
    expect(limits('request_rate', entityId('key', 'app-1'))).toEqual({ warning: 5000, critical: 7000 });
    expect(limits('data_transfer', entityId('key', 'app-1'))).toEqual({ warning: 524_288_000, critical: undefined });
    expect(limits('request_rate', entityId('client', 'x y'))).toEqual({ warning: undefined, critical: undefined });
    expect(limits('request_rate', entityId('key', 'other'))).toEqual({ warning: 500, critical: 1000 });
  });

  test('~ is the home directory', () => {
    expect(load('store: {directory: ~/kw}').config.store.directory).toMatch(/^\/.*\/kw$/);
    expect(load('store: {directory: ~/kw}').config.store.directory).not.toContain('~');
  });
});
