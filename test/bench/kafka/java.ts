import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { meansHere } from '../../services/choice.ts';

const SOURCES = fileURLToPath(new URL('../kafka-streams/', import.meta.url));
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/keywatch/', import.meta.url));

/** How to start one of the Java programs of the bench: `command` and then `args` of `java`, before the name of the class. */
export type JavaTools = { readonly java: string; readonly classpath: string };

/** Builds the loader and the Kafka Streams job, once per version of their sources. Undefined where there is no Java or no Maven. */
export async function javaTools(say: (line: string) => void): Promise<JavaTools | undefined> {
  const means = await meansHere();
  if (means.by !== 'java') return undefined;
  const folder = join(CACHE, `bench-kafka-streams-${hashOf(SOURCES)}`);
  if (!existsSync(folder)) {
    say('building test/bench/kafka-streams by Maven, needed once');
    const unfinished = `${folder}.${process.pid}`;
    mkdirSync(CACHE, { recursive: true });
    cpSync(SOURCES, unfinished, { recursive: true });
    try {
      await promisify(execFile)('mvn', ['-q', '-B', 'package', 'dependency:copy-dependencies', '-DoutputDirectory=lib', '-DincludeScope=runtime'], {
        cwd: unfinished,
        timeout: 900_000,
      });
      renameSync(unfinished, folder);
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
  }
  return { java: means.java.program, classpath: [join(folder, 'target/classes'), join(folder, 'lib/*')].join(delimiter) };
}

function hashOf(folder: string): string {
  const hash = createHash('sha256');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const path of files.map(({ parentPath, name }) => join(parentPath, name)).toSorted()) hash.update(path).update(readFileSync(path));
  return hash.digest('hex').slice(0, 12);
}
