import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type AnalyzeJson, analyzeSchema } from '../../../app/report/schema.ts';
import { runCli } from '../../app/cli/capture.ts';
import { writePepper } from './pepper.ts';

export type JsonKey = AnalyzeJson['keys'][number];

/** `keywatch analyze --json` in this process, in a data directory of its own; the contract of its output is checked on the way. */
export async function analyzeJson(args: readonly string[], options: { readonly pepper?: string; readonly stdin?: string } = {}): Promise<AnalyzeJson> {
  const directory = mkdtempSync(join(tmpdir(), 'keywatch analyze '));
  try {
    if (options.pepper !== undefined) writePepper(directory, options.pepper);
    const ran = await runCli(['analyze', ...args, '--json', '--data-dir', directory], { env: { HOME: directory }, stdin: options.stdin });
    expect({ code: ran.code, stderr: ran.stderr.replace(/^made a new pepper.*\n/, '') }).toEqual({ code: 0, stderr: '' });
    return analyzeSchema.parse(JSON.parse(ran.stdout));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
