import type { TestProject } from 'vitest/node';
import { fetchArtefacts } from './artefacts.ts';
import { HAS_NGINX } from './nginx.ts';
import { HAS_RSYSLOG } from './rsyslog.ts';
import { ServiceDoor, type SharedServices } from './shared.ts';

/**
 * Once for the whole run, before any test file. The servers start while the unit tests run, and only when the whole
 * suite does: a run of chosen files starts what these ask for.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const door = await ServiceDoor.open(process.env);
  let { shared } = door;
  if (isWholeRun(process.argv.slice(2))) {
    const isGiven = process.env['KEYWATCH_TEST_KAFKA'] !== undefined && process.env['KEYWATCH_TEST_ES'] !== undefined;
    const failure = door.means.by === 'java' && !isGiven ? await fetchArtefacts(say) : undefined;
    if (failure === undefined) {
      // A failure shows in the test that asks.
      for (const name of ['kafka', 'elasticsearch'] as const) if (shared.has[name]) door.address(name).catch(() => {});
    } else {
      shared = withoutStart(shared, failure);
    }
    warn(shared);
  }
  project.provide('services', shared);
  return () => door[Symbol.asyncDispose]();
}

/** No name of a file among the arguments. A value of an option looks like one: then too few servers start at once, which does no harm. */
function isWholeRun(args: readonly string[]): boolean {
  return args.every((argument) => argument === 'run' || argument.startsWith('-'));
}

/** Offline, with nothing fetched before: as if there was no Java. */
function withoutStart(shared: SharedServices, why: string): SharedServices {
  const isGiven = (variable: string): boolean => (process.env[variable] ?? '') !== '';
  return { ...shared, canStart: false, why, has: { kafka: isGiven('KEYWATCH_TEST_KAFKA'), elasticsearch: isGiven('KEYWATCH_TEST_ES') } };
}

function warn({ has, canStart, isRequired, why }: SharedServices): void {
  const programs = [HAS_NGINX ? undefined : 'nginx', HAS_RSYSLOG ? undefined : 'rsyslog with omkafka'].filter((name) => name !== undefined);
  if (programs.length > 0) say(`${isRequired ? 'MISSING' : 'SKIPPED'}: tests with ${programs.join(' and ')}, not installed`);
  const missing = [has.kafka ? undefined : 'Kafka', has.elasticsearch ? undefined : 'Elasticsearch', canStart ? undefined : 'faults of both'].filter(
    (part) => part !== undefined,
  );
  if (missing.length === 0) return;
  say(
    `${isRequired ? 'MISSING, so these tests will fail' : 'SKIPPED'}: tests against a real ${missing.join(', ')} (${why}). ` +
      'Install Java 17 or newer and Maven, or start Docker, or set KEYWATCH_TEST_KAFKA=host:port and KEYWATCH_TEST_ES=http://host:port',
  );
}

function say(line: string): void {
  process.stderr.write(`keywatch tests: ${line}\n`);
}
