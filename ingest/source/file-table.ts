import { assertNever } from '../../core/types.ts';
import type { FileInput } from './expand.ts';
import type { FollowedPartition } from './followed-partition.ts';
import type { PackedCheck } from './packed-check.ts';

/**
 * - new: not decided yet · owned: the open file of `partition` · checking: being unpacked to see whose it is
 * - copy: holds what `partition` reads from its own file · settled: holds what `partition` has read, and no more
 * - ignored: no log · unreadable: tried again at every scan
 */
export type FileRole = 'new' | 'owned' | 'checking' | 'copy' | 'settled' | 'ignored' | 'unreadable';

/** A file that the patterns match, known by its inode while that is matched or open. */
export type FileRecord = {
  readonly key: string;
  input: FileInput;
  /** Every name that leads to it. */
  paths: ReadonlySet<string>;
  /** Which pattern found it: content of one pattern is read oldest first. */
  group: number;
  /** When its size or change time was last seen to differ, monotonic. */
  changedAt: number;
  readonly foundAt: number;
  role: FileRole;
  partition: FollowedPartition | undefined;
  /** Size and change time when the role was decided. */
  decidedStamp: string;
  /** A copy to its last byte. */
  isSure: boolean;
  /** Unpacked size when the role was decided. */
  contentBytes: number;
  check: PackedCheck | undefined;
  /** What was told of it. */
  ignoredWhy: string | undefined;
};

export type FoundFile = { readonly input: FileInput; readonly paths: ReadonlySet<string>; readonly group: number };

/** What the patterns match at the moment. */
export class FileTable {
  readonly #records = new Map<string, FileRecord>();

  get(key: string): FileRecord | undefined {
    return this.#records.get(key);
  }

  all(): Iterable<FileRecord> {
    return this.#records.values();
  }

  /** Takes in a scan. Files that are no longer matched are forgotten, unless they are open. */
  update(found: readonly FoundFile[], now: number): FileRecord[] {
    const seen = new Set<string>();
    const records = found.map((file) => {
      seen.add(file.input.key);
      return this.#merge(file, now);
    });
    for (const [key, record] of this.#records) {
      if (seen.has(key)) continue;
      if (record.role === 'owned' || record.role === 'checking') record.paths = new Set();
      else this.#records.delete(key);
    }
    return records;
  }

  #merge(file: FoundFile, now: number): FileRecord {
    const known = this.#records.get(file.input.key);
    if (known !== undefined) {
      if (known.input.stamp !== file.input.stamp) known.changedAt = now;
      known.input = file.input;
      known.paths = file.paths;
      known.group = file.group;
      return known;
    }
    const record: FileRecord = {
      key: file.input.key,
      ...file,
      changedAt: now,
      foundAt: now,
      role: 'new',
      partition: undefined,
      decidedStamp: '',
      isSure: false,
      contentBytes: 0,
      check: undefined,
      ignoredWhy: undefined,
    };
    this.#records.set(record.key, record);
    return record;
  }
}

/** Whether a file has to be looked at (again) at this scan. */
export function needsLook(record: FileRecord): boolean {
  switch (record.role) {
    case 'owned':
    case 'checking':
      return false;
    case 'new':
    case 'unreadable':
      return true;
    case 'copy':
      return record.decidedStamp !== record.input.stamp || !record.isSure || isBeyond(record);
    case 'settled':
    case 'ignored':
      return record.decidedStamp !== record.input.stamp;
    default:
      return assertNever(record.role);
  }
}

/** The partition stopped reading its own file before it had all that this copy holds. */
function isBeyond({ partition, contentBytes }: FileRecord): boolean {
  return partition === undefined || (partition.state !== 'reading' && partition.next < contentBytes);
}
