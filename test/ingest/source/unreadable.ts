/**
 * Run as a program: gives up the rights of root, which no permission bit stops, and prints what the sources say of
 * files that it may not read, one JSON line per problem. The directory and the command are its arguments.
 */
import { chmodSync } from 'node:fs';
import { expandInputs } from '../../../ingest/source/expand.ts';
import { fileOnce } from '../../../ingest/source/file-once.ts';
import { FollowHarness } from './follow-harness.ts';
import { collect, ids } from './support.ts';

const [command, directory = ''] = process.argv.slice(2);
const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

function asNobody(): void {
  if (isRoot) process.seteuid?.(NOBODY);
}

function asOwner(): void {
  if (isRoot) process.seteuid?.(0);
}

async function once(): Promise<unknown> {
  asNobody();
  const { inputs, problems } = await expandInputs([directory, `${directory}/closed/*.log`]);
  return [...problems, ...(await collect(fileOnce({ inputs }, { newId: ids() })))];
}

async function follow(): Promise<unknown> {
  const harness = new FollowHarness({ patterns: [`${directory}/*.log`] });
  asNobody();
  harness.start();
  await harness.pass(10_000);
  asOwner();
  chmodSync(`${directory}/secret.log`, 0o644);
  asNobody();
  await harness.pass(5000);
  harness.flush();
  await harness.kill();
  return [...harness.events, ...harness.storedLines()];
}

const result = command === 'once' ? await once() : await follow();
asOwner();
process.stdout.write(JSON.stringify(result));
