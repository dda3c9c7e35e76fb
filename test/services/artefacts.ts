import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Means, meansHere } from './choice.ts';
import { ELASTICSEARCH_VERSION, KAFKA_VERSION } from './versions.ts';

const run = promisify(execFile);

/** Ignored by git, gone with the dependencies. */
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/keywatch/', import.meta.url));
const FETCH_MS_MAX = 900_000;

type Artefact = { readonly name: string; readonly folder: string; readonly fetch: (into: string) => Promise<void> };

const KAFKA: Artefact = {
  name: `Kafka ${KAFKA_VERSION}`,
  folder: join(CACHE, `kafka-${KAFKA_VERSION}`),
  fetch: async (into) => {
    await writeFile(join(into, 'pom.xml'), kafkaPom());
    await maven(into, 'dependency:copy-dependencies', `-DoutputDirectory=${join(into, 'lib')}`, '-DincludeScope=runtime');
  },
};
const ELASTICSEARCH: Artefact = {
  name: `Elasticsearch ${ELASTICSEARCH_VERSION}`,
  folder: join(CACHE, `elasticsearch-${ELASTICSEARCH_VERSION}`),
  fetch: (into) =>
    maven(
      into,
      'dependency:unpack',
      `-Dartifact=org.elasticsearch.distribution.integ-test-zip:elasticsearch:${ELASTICSEARCH_VERSION}:zip`,
      `-DoutputDirectory=${into}`,
    ),
};

/** The folder with the jars of the broker; fetched at the first call. */
export async function kafkaJars(): Promise<string> {
  return join(await ensure(KAFKA), 'lib');
}

/** The folder of the unpacked server; fetched at the first call. */
export async function elasticsearchHome(): Promise<string> {
  return join(await ensure(ELASTICSEARCH), `elasticsearch-${ELASTICSEARCH_VERSION}`);
}

/** Fetches what is missing, and says so: it is 140 MB. Resolves to what went wrong, if anything. */
export async function fetchArtefacts(say: (line: string) => void): Promise<string | undefined> {
  // One after the other: two Mavens at once can spoil a cache that both are filling.
  for (const artefact of [KAFKA, ELASTICSEARCH]) {
    if (existsSync(artefact.folder)) continue;
    say(`fetching ${artefact.name} by Maven for the tests, needed once`);
    try {
      await ensure(artefact);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  return undefined;
}

async function ensure({ name, folder, fetch }: Artefact): Promise<string> {
  if (existsSync(folder)) return folder;
  await mkdir(CACHE, { recursive: true });
  const unfinished = await mkdtemp(join(CACHE, 'unfinished-'));
  try {
    await fetch(unfinished);
    // The folder appears only when it is whole. Of two that fetch at once the first one wins.
    await rename(unfinished, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  } catch (error) {
    throw new Error(`cannot fetch ${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return folder;
}

/** In the folder to fill, as Maven leaves marks where it runs. */
async function maven(folder: string, goal: string, ...args: readonly string[]): Promise<void> {
  try {
    await run('mvn', ['-q', '-B', goal, ...args], { cwd: folder, timeout: FETCH_MS_MAX, env: mavenEnv() });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    const said = `${stdout}\n${stderr}`.split('\n').find((line) => line.includes('ERROR'));
    throw new Error(`mvn ${goal} failed: ${said?.replace(/^.*?ERROR\]?\s*/, '') ?? String(error)}`, {
      cause: error,
    });
  }
}

/** Java asks the system where the home of its user is, not HOME; where there is none that can be written Maven would make a folder `?` right here. */
function mavenEnv(): NodeJS.ProcessEnv {
  const { env } = process;
  try {
    accessSync(userInfo().homedir, constants.W_OK);
    return env;
  } catch {
    return { ...env, MAVEN_OPTS: `${env['MAVEN_OPTS'] ?? ''} -Duser.home=${env['HOME'] ?? CACHE}` };
  }
}

/** The broker with all it needs, and a log backend, without which a broker that cannot start says nothing. */
function kafkaPom(): string {
  const dependency = (group: string, artifact: string, version: string): string =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>keywatch</groupId><artifactId>test-kafka</artifactId><version>1</version>
  <dependencies>
    ${dependency('org.apache.kafka', 'kafka_2.13', KAFKA_VERSION)}
    ${dependency('org.apache.logging.log4j', 'log4j-slf4j-impl', '2.24.3')}
  </dependencies>
</project>
`;
}

/** For `.ci/run`: a fetch that fails is then a step of its own, with a reason, and not a slow or red test. */
async function main(): Promise<void> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const means: Means = await meansHere();
  if (means.by !== 'java') {
    say(means.by === 'docker' ? 'the servers run in Docker: nothing to fetch' : `no servers for the tests: ${means.why}`);
    if (means.by === 'nothing') process.exitCode = 1;
    return;
  }
  const failure = await fetchArtefacts(say);
  say(failure ?? `Kafka ${KAFKA_VERSION} and Elasticsearch ${ELASTICSEARCH_VERSION} are there`);
  if (failure !== undefined) process.exitCode = 1;
}

if (import.meta.main) await main();
