import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { quietClient } from '../../services/topic.ts';
import { deleteIndices, headsOf } from './indices.ts';
import type { Services } from './services.ts';

export const PROGRAM = fileURLToPath(new URL('../../../bin/keywatch.mjs', import.meta.url));
/** Of the bench: 32 bytes, no secret. */
export const PEPPER = Buffer.alloc(32, 7).toString('base64');
const PEPPER_NAME = 'KEYWATCH_BENCH_PEPPER';

export type Installation = AsyncDisposable & {
  readonly config: string;
  readonly prefix: string;
  readonly group: string;
  readonly env: NodeJS.ProcessEnv;
  /** Whether the chains in the store have come to these offsets, by partition. */
  hasStored(ends: readonly number[]): Promise<boolean>;
};

/** A configuration with indices, topics and a group of its own, set up by `keywatch setup` as a user would; gone afterwards. */
export async function install(options: {
  readonly services: Services;
  readonly folder: string;
  readonly name: string;
  readonly topic: string;
  readonly extra?: Readonly<Record<string, unknown>>;
  readonly env?: NodeJS.ProcessEnv;
}): Promise<Installation> {
  const { services, name, topic } = options;
  const folder = join(options.folder, name);
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'keywatch.yml');
  const busTopic = `${name}-partials`;
  const deadLetterTopic = `${name}-dlq`;
  writeFileSync(
    config,
    stringify({
      sources: [{ kafka: { brokers: [services.brokers], topics: [topic], group: name, busTopic, deadLetterTopic } }],
      store: { directory: join(folder, 'data'), elasticsearch: { nodes: [services.elasticsearch], prefix: name, replicas: 0 } },
      pepper: { env: PEPPER_NAME },
      ops: { listen: 'off' },
      ...options.extra,
    }),
  );
  const env = { ...process.env, ...options.env, [PEPPER_NAME]: PEPPER, KEYWATCH_CONFIG: '' };
  await promisify(execFile)(process.execPath, [PROGRAM, 'setup', '-c', config, '--partitions', '2'], { env }).catch((error: unknown) => {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`keywatch setup failed: ${stdout}${stderr}`, { cause: error });
  });
  return {
    config,
    prefix: name,
    group: name,
    env,
    hasStored: async (ends) => {
      const heads = await headsOf(services.elasticsearch, name);
      return ends.every((end, partition) => (heads.get(partition) ?? 0) >= end);
    },
    [Symbol.asyncDispose]: async () => {
      await deleteIndices(services.elasticsearch, name);
      const admin = quietClient(services.brokers).admin();
      await admin.connect();
      await admin.deleteTopics({ topics: [busTopic, deadLetterTopic] }).catch(() => undefined);
      await admin.deleteGroups([name]).catch(() => undefined);
      await admin.disconnect();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
