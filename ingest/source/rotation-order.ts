import { basename, dirname } from 'node:path';
import type { EpochMs } from '../../core/types.ts';

/** `access.log.2.gz` is older than `access.log.1`; a dated file older than a later date; the bare name is the newest. */
type Rotation = { readonly series: string; readonly kind: 'dated' | 'numbered' | 'live'; readonly date: string; readonly number: number };

const PACKED = /\.(?:gz|zst|zstd)$/i;
const NUMBERED = /^(?<stem>.+)\.(?<number>\d{1,5})$/;
const DATED = /^(?<stem>.+?)[-_.]?(?<date>(?:19|20)\d{2}[-_.]?\d{2}[-_.]?\d{2}(?:[-_.T]?\d{2,6})?)(?<rest>\.[a-z]+)?$/i;

/**
 * Orders files so that older content comes first: the files of one rotation by their number or date, whatever their
 * change times say (a copy loses them); the rotations among themselves by the oldest change time in each.
 */
export function oldestFirst<F extends { readonly path: string; readonly modifiedAt: EpochMs }>(files: readonly F[]): F[] {
  const series = new Map<string, { oldest: EpochMs; readonly members: { readonly file: F; readonly rotation: Rotation }[] }>();
  for (const file of files) {
    const rotation = rotationOf(file.path);
    const group = series.get(rotation.series);
    if (group === undefined) series.set(rotation.series, { oldest: file.modifiedAt, members: [{ file, rotation }] });
    else {
      group.oldest = Math.min(group.oldest, file.modifiedAt);
      group.members.push({ file, rotation });
    }
  }
  return [...series.entries()]
    .sort(([nameA, a], [nameB, b]) => a.oldest - b.oldest || compareText(nameA, nameB))
    .flatMap(([, group]) => group.members.sort(compareMembers).map((member) => member.file));
}

const KIND_RANK = { dated: 0, numbered: 1, live: 2 } as const;

function compareMembers<F extends { readonly path: string; readonly modifiedAt: EpochMs }>(
  a: { readonly file: F; readonly rotation: Rotation },
  b: { readonly file: F; readonly rotation: Rotation },
): number {
  return (
    KIND_RANK[a.rotation.kind] - KIND_RANK[b.rotation.kind] ||
    compareText(a.rotation.date, b.rotation.date) ||
    b.rotation.number - a.rotation.number ||
    a.file.modifiedAt - b.file.modifiedAt ||
    compareText(a.file.path, b.file.path)
  );
}

function rotationOf(path: string): Rotation {
  const name = basename(path).replace(PACKED, '');
  const directory = dirname(path);
  const numbered = NUMBERED.exec(name)?.groups;
  // A number that is a date (20260105) falls through to the dates.
  if (numbered !== undefined) return { series: `${directory}/${numbered['stem']}`, kind: 'numbered', date: '', number: Number(numbered['number']) };
  const dated = DATED.exec(name)?.groups;
  if (dated !== undefined) {
    return { series: `${directory}/${dated['stem']}${dated['rest'] ?? ''}`, kind: 'dated', date: (dated['date'] ?? '').replace(/\D/g, ''), number: 0 };
  }
  return { series: `${directory}/${name}`, kind: 'live', date: '', number: 0 };
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
