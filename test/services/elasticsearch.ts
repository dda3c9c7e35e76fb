import { chown, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, inFreshFolder, reachable, unprivilegedAccount } from './account.ts';
import { elasticsearchHome } from './artefacts.ts';
import { meansHere } from './choice.ts';
import { container, imageOf } from './container.ts';
import { local } from './local.ts';
import { freePort } from './ports.ts';
import { type Runner, type Server, serve } from './server.ts';

export type ElasticsearchService = Server & { /** For `node:` of a client: `http://127.0.0.1:port`. */ readonly url: string };

export type ElasticsearchOptions = {
  /** Lines of elasticsearch.yml; they win over the harness's own. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly heapMb?: number;
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal;
};

const INSIDE = 9200;

/** A node of its own. Resolves when it takes writes. */
export async function startElasticsearch(options: ElasticsearchOptions = {}): Promise<ElasticsearchService> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = await serve({
    name: 'elasticsearch',
    port,
    runner: await runnerOf(options, port, await freePort()),
    answers: () => answers(url),
    signal: options.signal,
  });
  return { ...server, url };
}

async function runnerOf(options: ElasticsearchOptions, port: number, transportPort: number): Promise<Runner> {
  const means = await meansHere();
  if (means.by === 'nothing') throw new Error(`cannot start an Elasticsearch for a test: ${means.why}`);
  const heap = `-Xms${options.heapMb ?? 512}m -Xmx${options.heapMb ?? 512}m`;
  const settings = { ...SETTINGS, ...options.settings };
  if (means.by === 'docker') return container({ image: imageOf('elasticsearch'), port, inside: INSIDE, env: { ...settings, ES_JAVA_OPTS: heap } });

  const account = await unprivilegedAccount();
  const shared = await elasticsearchHome();
  const ports = { 'http.port': String(port), 'transport.port': String(transportPort) };
  return inFreshFolder(account, 'keywatch-elasticsearch-', async (folder) => {
    const home = await reachable(account, shared, folder);
    await prepare({ folder, home, account, settings: { ...settings, ...ports } });
    const env = {
      ES_JAVA_HOME: means.java.home,
      ES_JAVA_OPTS: `${heap} -XX:+UseSerialGC`,
      CLI_JAVA_OPTS: '-XX:TieredStopAtLevel=1',
      ES_PATH_CONF: join(folder, 'config'),
      ES_TMPDIR: join(folder, 'tmp'),
      HOME: folder,
    };
    return local({ program: join(home, 'bin/elasticsearch'), args: [], folder, account, env });
  });
}

const SETTINGS: Readonly<Record<string, string>> = {
  'cluster.name': 'keywatch-test',
  'discovery.type': 'single-node',
  'xpack.security.enabled': 'false',
  'action.destructive_requires_name': 'false',
  // A full disk of a developer is no reason to refuse writes.
  'cluster.routing.allocation.disk.threshold_enabled': 'false',
};

async function prepare(options: {
  readonly folder: string;
  readonly home: string;
  readonly account: Account | undefined;
  readonly settings: Readonly<Record<string, string>>;
}): Promise<void> {
  const { folder, home, account } = options;
  const config = join(folder, 'config');
  await cp(join(home, 'config'), config, { recursive: true });
  // Logs and dumps would go into the shared home, which is not ours to write, and one heap allows one collector.
  const jvm = join(config, 'jvm.options');
  await writeFile(jvm, (await readFile(jvm, 'utf8')).replace(/^.*(?:=logs\/|=data$|UseG1GC).*$/gm, ''));
  const settings = {
    ...options.settings,
    'node.name': 'test-1',
    'network.host': '127.0.0.1',
    'path.data': join(folder, 'data'),
    'path.logs': join(folder, 'logs'),
  };
  await writeFile(
    join(config, 'elasticsearch.yml'),
    Object.entries(settings)
      .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
      .join(''),
  );
  const folders = ['data', 'logs', 'tmp'].map((name) => join(folder, name));
  await Promise.all(folders.map((path) => mkdir(path)));
  // The server writes a keystore into its folder of settings at the first start.
  if (account !== undefined) await Promise.all([config, ...folders].map((path) => chown(path, account.uid, account.gid)));
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/_cluster/health`, { signal: AbortSignal.timeout(5000) });
    const { status } = (await response.json()) as { status?: string };
    return response.ok && (status === 'green' || status === 'yellow');
  } catch {
    return false;
  }
}
