import { execFile } from 'node:child_process';
import { constants, accessSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A Java that can run both servers. */
export type Java = { readonly home: string; readonly program: string };
/** How this machine can start a server of its own; `why` says what is missing. */
export type Means = { readonly by: 'java'; readonly java: Java } | { readonly by: 'docker' } | { readonly by: 'nothing'; readonly why: string };

const JAVA_MIN = 17;

/** Java with Maven before Docker: it starts faster, and needs no right to an engine. */
export async function meansHere(env: NodeJS.ProcessEnv = process.env): Promise<Means> {
  const [java, mvn, docker] = await Promise.all([findJava(env), Promise.resolve(findProgram('mvn', env)), hasDockerEngine(env)]);
  if (typeof java !== 'string' && mvn !== undefined) return { by: 'java', java };
  if (docker) return { by: 'docker' };
  const lacks = [typeof java === 'string' ? java : undefined, mvn === undefined ? 'no mvn' : undefined, 'no Docker engine'].filter(
    (part) => part !== undefined,
  );
  return { by: 'nothing', why: lacks.join(', ') };
}

/** The Java of the PATH, or what is wrong with it. */
async function findJava(env: NodeJS.ProcessEnv): Promise<Java | string> {
  const program = findProgram('java', env);
  if (program === undefined) return 'no java';
  try {
    const { stderr } = await run(program, ['-XshowSettings:properties', '-version'], { env });
    const property = (name: string): string => new RegExp(`^\\s*${name} = (.+)$`, 'm').exec(stderr)?.[1]?.trim() ?? '';
    const version = Number(property('java\\.specification\\.version'));
    return version >= JAVA_MIN ? { home: property('java\\.home'), program } : `java is older than ${JAVA_MIN}`;
  } catch {
    return 'java does not run';
  }
}

/** The whole path of a program. */
export function findProgram(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  // Daemons and useradd live in sbin, which users other than root do not search.
  for (const folder of [...(env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']) {
    const path = join(folder === '' ? '.' : folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

async function hasDockerEngine(env: NodeJS.ProcessEnv): Promise<boolean> {
  const docker = findProgram('docker', env);
  if (docker === undefined) return false;
  try {
    // Without an engine the client exits with an error.
    const { stdout } = await run(docker, ['version', '--format', '{{.Server.Version}}'], { env, timeout: 10_000 });
    return stdout.trim() !== '';
  } catch {
    return false;
  }
}
