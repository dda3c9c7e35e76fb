import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { importFaults, importFaultsOfTree } from '../../scripts/import-rule.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** What the rule says about one file, without its path. */
function judge(path: string, source: string, devPackages: readonly string[] = []): readonly string[] {
  return importFaults([{ path, source }], { devPackages }).map((fault) => fault.message);
}

describe('each clause of the import rule has a case that breaks it', () => {
  const broken: readonly { readonly clause: string; readonly path: string; readonly source: string; readonly says: RegExp }[] = [
    { clause: 'core imports no layer', path: 'core/a.ts', source: `import { b } from '../ingest/b.ts';`, says: /core imports only node: built-ins/ },
    { clause: 'core imports no package', path: 'core/a.ts', source: `import { z } from 'zod';`, says: /core imports only node: built-ins/ },
    { clause: 'core imports no type of a package', path: 'core/a.ts', source: `import type { z } from 'zod';`, says: /core imports only node: built-ins/ },
    { clause: 'ingest does not import keys', path: 'ingest/a.ts', source: `import { b } from '../keys/b.ts';`, says: /ingest imports only core/ },
    { clause: 'keys does not import storage', path: 'keys/a.ts', source: `import { b } from '../storage/sqlite/b.ts';`, says: /keys imports only core/ },
    {
      clause: 'detectors does not import alerts',
      path: 'detectors/threshold/a.ts',
      source: `import { b } from '../../alerts/b.ts';`,
      says: /detectors imports/,
    },
    {
      clause: 'alerts does not import detectors',
      path: 'alerts/a.ts',
      source: `import type { B } from '../detectors/b.ts';`,
      says: /alerts imports only core/,
    },
    {
      clause: 'revocation does not import alerts',
      path: 'revocation/a.ts',
      source: `export { b } from '../alerts/b.ts';`,
      says: /revocation imports only core/,
    },
    { clause: 'storage does not import ingest', path: 'storage/a.ts', source: `export * from '../ingest/b.ts';`, says: /storage imports only core/ },
    { clause: 'kibana does not import storage', path: 'dashboards/kibana/a.ts', source: `import { b } from '../../storage/b.ts';`, says: /dashboards imports/ },
    { clause: 'a layer does not import app', path: 'alerts/a.ts', source: `import { b } from '../app/b.ts';`, says: /nothing imports app/ },
    { clause: 'app does not import test', path: 'app/a.ts', source: `import { b } from '../test/support/b.ts';`, says: /nothing imports test/ },
    { clause: 'app does not import scripts', path: 'app/a.ts', source: `import { b } from '../scripts/b.mjs';`, says: /not a part of the product/ },
    { clause: 'a dynamic import counts', path: 'ingest/a.ts', source: `const b = await import('../app/b.ts');`, says: /nothing imports app/ },
    { clause: 'an import type counts', path: 'core/a.ts', source: `let b: import('../app/b.ts').B;`, says: /nothing imports app/ },
    { clause: 'require counts', path: 'core/a.ts', source: `const b = require('../app/b.ts');`, says: /nothing imports app/ },
    { clause: 'the URL of a worker counts', path: 'storage/a.ts', source: `new URL('../app/w.ts', import.meta.url);`, says: /nothing imports app/ },
    { clause: 'a computed import is refused', path: 'storage/a.ts', source: `await import(name);`, says: /computed name/ },
    { clause: 'an absolute path is refused', path: 'app/a.ts', source: `import '/work/b.ts';`, says: /use a relative path/ },
    { clause: 'a path out of the tree is refused', path: 'app/a.ts', source: `import '../../b.ts';`, says: /not a part of the product/ },
    {
      clause: 'the console takes no value of core',
      path: 'dashboards/console/a.ts',
      source: `import { b } from '../../core/b.ts';`,
      says: /only `import type`/,
    },
    {
      clause: 'the console takes no type of app',
      path: 'dashboards/console/a.ts',
      source: `import type { B } from '../../storage/b.ts';`,
      says: /nothing but types of core/,
    },
    { clause: 'the console has no built-ins', path: 'dashboards/console/a.ts', source: `import 'node:fs';`, says: /runs in a browser/ },
    { clause: 'nothing imports the console', path: 'app/a.ts', source: `import '../dashboards/console/b.ts';`, says: /a program of its own/ },
    { clause: 'kafkajs has one home', path: 'ingest/file/a.ts', source: `import { Kafka } from 'kafkajs';`, says: /home is ingest\/kafka/ },
    {
      clause: 'elasticsearch has one home',
      path: 'app/a.ts',
      source: `import { Client } from '@elastic/elasticsearch';`,
      says: /home is storage\/elasticsearch/,
    },
    { clause: 'nodemailer has one home', path: 'alerts/a.ts', source: `import type { T } from 'nodemailer';`, says: /home is alerts\/notify\/email/ },
    {
      clause: 'a path inside a package counts',
      path: 'alerts/a.ts',
      source: `import { T } from 'nodemailer/lib/mailer';`,
      says: /home is alerts\/notify\/email/,
    },
    {
      clause: '@slack/webhook has one home',
      path: 'alerts/notify/email/a.ts',
      source: `import { I } from '@slack/webhook';`,
      says: /home is alerts\/notify\/slack/,
    },
    { clause: 'simple-statistics has one home', path: 'detectors/a.ts', source: `import { mean } from 'simple-statistics';`, says: /home is detectors\/stats/ },
    { clause: 'node-cron has one home', path: 'storage/a.ts', source: `import { schedule } from 'node-cron';`, says: /home is app/ },
    { clause: 'fastify has one home', path: 'app/wire/demo.ts', source: `import { fastify } from 'fastify';`, says: /home is app\/http/ },
    { clause: 'Date.now is the clock’s', path: 'keys/a.ts', source: `const t = Date.now();`, says: /uses Date\.now/ },
    { clause: 'Date.now by another spelling', path: 'keys/a.ts', source: `const now = Date['now'];`, says: /uses Date\.now/ },
    { clause: 'new Date() is the clock’s', path: 'keys/a.ts', source: `const t = new Date();`, says: /uses new Date\(\)/ },
    { clause: 'setTimeout is the clock’s', path: 'alerts/a.ts', source: `setTimeout(send, 5);`, says: /uses setTimeout/ },
    { clause: 'setTimeout as a value', path: 'alerts/a.ts', source: `const timer = { wait: setTimeout };`, says: /uses setTimeout/ },
    { clause: 'setInterval is the clock’s', path: 'ingest/a.ts', source: `globalThis.setInterval(send, 5);`, says: /uses setInterval/ },
    {
      clause: 'node:timers is the clock’s',
      path: 'storage/a.ts',
      source: `import { setTimeout } from 'node:timers/promises';`,
      says: /node:timers\/promises: take a Clock/,
    },
    { clause: 'all of node:timers is too', path: 'storage/a.ts', source: `import * as timers from 'node:timers';`, says: /node:timers: take a Clock/ },
    {
      clause: 'scheduler waits as well',
      path: 'storage/a.ts',
      source: `import { setImmediate, scheduler } from 'node:timers/promises';`,
      says: /take a Clock/,
    },
    { clause: 'Math.random is nobody’s', path: 'detectors/a.ts', source: `const r = Math.random();`, says: /uses Math\.random/ },
    { clause: 'core has no clock but its own', path: 'core/window.ts', source: `const t = Date.now();`, says: /uses Date\.now/ },
    { clause: 'what does not parse is a fault', path: 'core/a.ts', source: `import {`, says: /Expected|Unexpected/ },
  ];
  test.each(broken)('$clause', ({ path, source, says }) => {
    const found = judge(path, source);
    expect(found.length).toBeGreaterThan(0);
    expect(found[0]).toMatch(says);
  });

  test('a package for development is not used by the product', () => {
    expect(judge('app/a.ts', `import { test } from 'vitest';`, ['vitest'])).toEqual(['imports vitest: an installed Keywatch does not have it']);
    expect(judge('test/a.test.ts', `import { test } from 'vitest';`, ['vitest'])).toEqual([]);
  });

  test('a fault names its line', () => {
    const source = `// one\nimport { a } from './a.ts';\nimport { b } from '../app/b.ts';\n\nconst t = Date.now();\n`;
    expect(importFaults([{ path: 'core/x.ts', source }]).map(({ path, line }) => `${path}:${line}`)).toEqual(['core/x.ts:3', 'core/x.ts:5']);
  });
});

describe('what the rule allows', () => {
  const allowed: readonly { readonly what: string; readonly path: string; readonly source: string }[] = [
    { what: 'core uses built-ins and itself', path: 'core/a.ts', source: `import { createHash } from 'node:crypto'; import { b } from './sketch/b.ts';` },
    { what: 'the clock reads the time', path: 'core/clock.ts', source: `import { setTimeout as delay } from 'node:timers/promises'; const t = Date.now();` },
    {
      what: 'a layer uses core, itself and packages',
      path: 'ingest/parse/a.ts',
      source: `import '../../core/b.ts'; import '../source/b.ts'; import { z } from 'zod';`,
    },
    { what: 'a home is a folder or a file', path: 'alerts/notify/email.ts', source: `import { createTransport } from 'nodemailer';` },
    {
      what: 'app uses everything and the time',
      path: 'app/commands/run.ts',
      source: `import '../../storage/a.ts'; import '../../alerts/a.ts'; import 'node-cron'; setTimeout(go, Date.now());`,
    },
    { what: 'app loads a command by name', path: 'app/main.ts', source: `await import('./commands/' + verb + '.ts');` },
    {
      what: 'the console takes types of core',
      path: 'dashboards/console/a.tsx',
      source: `import type { A } from '../../core/a.ts'; import { h } from 'preact'; setTimeout(() => <p/>, 5);`,
    },
    { what: 'a test imports anything', path: 'test/ingest/a.test.ts', source: `import '../../app/a.ts'; import 'kafkajs'; const t = Date.now();` },
    {
      what: 'names in comments and texts do not count',
      path: 'keys/a.ts',
      source: `// import '../app/a.ts' and Date.now()\nconst text = "import '../app/a.ts'; Math.random()";`,
    },
    {
      what: 'a method or field of that name does not count',
      path: 'keys/a.ts',
      source: `const a = { setTimeout: 5 }; a.setTimeout; clock.now(); new Date(5); class B { setInterval() {} }`,
    },
    { what: 'letting others run is no waiting', path: 'storage/a.ts', source: `import { setImmediate as others } from 'node:timers/promises';` },
    {
      what: 'the URL of a page is no import',
      path: 'keys/a.ts',
      source: `new URL('../x', 'http://localhost'); new URL(text); new URL('./data.csv', import.meta.url);`,
    },
  ];
  test.each(allowed)('$what', ({ path, source }) => {
    expect(judge(path, source)).toEqual([]);
  });
});

test('the tree keeps the import rule', () => {
  expect(importFaultsOfTree(ROOT).map(({ path, line, message }) => `${path}:${line} ${message}`)).toEqual([]);
});
