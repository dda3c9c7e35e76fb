import type { JsonMap } from '../../ingest/parse/json.ts';
import { detectFormat } from '../../ingest/parse/detect.ts';
import { expandInputs } from '../../ingest/source/expand.ts';
import { inspectFile } from '../../ingest/source/inspect.ts';
import { printable } from '../cli/text.ts';
import { formatBytes, formatNumber } from '../cli/format.ts';
import type { SourceConfig } from '../config/config.ts';
import { type CheckRow, fail, ok, warn } from './check.ts';

/** A glob over years of rotated logs: the newest are looked at. */
const FILES_MAX = 50;

/** One row per configured source, and one per file that cannot be read. */
export async function checkSources(sources: readonly SourceConfig[]): Promise<readonly CheckRow[]> {
  if (sources.length === 0)
    return [warn('sources', 'no sources are configured, so keywatch run has nothing to watch', 'name your logs under sources in the configuration')];
  const rows: CheckRow[] = [];
  for (const [index, source] of sources.entries()) rows.push(...(await checkSource(`source ${index + 1}`, source)));
  return rows;
}

async function checkSource(name: string, source: SourceConfig): Promise<readonly CheckRow[]> {
  if (source.kind === 'kafka') return [];
  if (source.kind === 'stdin') return [ok(name, 'standard input')];
  const { inputs, problems } = await expandInputs(source.patterns);
  const rows: CheckRow[] = problems.map(({ subject, message }) =>
    fail(name, `${printable(subject)}: ${message}`, 'mend the path or its permissions; until then the file is waited for'),
  );
  const files = inputs.filter((input) => input.kind === 'file');
  const formats = new Map<string, number>();
  let bytes = 0;
  let empty = 0;
  for (const file of files) bytes += file.sizeBytes;
  for (const file of files.slice(-FILES_MAX)) {
    // Opening a pipe would take lines away from the keywatch that reads it.
    if (!file.isRegular) continue;
    if (file.sizeBytes === 0) {
      empty++;
      continue;
    }
    const inspected = await inspectFile(file.path);
    if ('whyNot' in inspected) {
      rows.push(fail(name, `${printable(file.path)} ${inspected.whyNot}`, 'mend that, or leave the file out of the pattern'));
      continue;
    }
    const detected = detectFormat(inspected.head, { format: source.format, envelope: source.envelope, map: mapOf(source.map), keyNames: source.keyNames });
    if (detected.format === undefined)
      rows.push(fail(name, `${printable(file.path)}: ${detected.why}`, 'set format, or for JSON map, of this source in the configuration'));
    else formats.set(detected.format.name, (formats.get(detected.format.name) ?? 0) + 1);
  }
  if (files.length > 0 && rows.length === 0) {
    const seen = [...formats].map(([format, count]) => `${format}${formats.size > 1 ? ` (${count})` : ''}`).join(', ');
    const evidence = `${formatNumber(files.length)} ${files.length === 1 ? 'file' : 'files'}, ${formatBytes(bytes)}, ${seen === '' ? 'format not known yet' : `format ${seen}`}${empty > 0 ? `, ${empty} empty` : ''}`;
    rows.push(ok(name, evidence));
  }
  return rows;
}

function mapOf(map: JsonMap): JsonMap | undefined {
  return Object.keys(map.fields).length === 0 && map.latencyUnit === undefined ? undefined : map;
}
