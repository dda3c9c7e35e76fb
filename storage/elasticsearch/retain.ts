import { MINUTE_MS } from '../../core/window.ts';
import { MINUTES_PER_DAY, dayName, monthLength, monthName, monthOf } from '../calendar.ts';
import { ElasticsearchFault } from './fault.ts';
import { readExtent, yearLength } from './extent.ts';
import type { Span } from '../extent.ts';
import { chainName } from './names.ts';
import { between, readDocs, refresh } from './read-docs.ts';
import { type Folder, type FolderDeps, hasEnded } from './fold.ts';
import type { Retention, RetentionReport } from '../../core/ports.ts';
import type { EpochMs, Minute } from '../../core/types.ts';

/**
 * Drops what the policy lets go: whole indices by name. What was dropped lives on in the level above: the hours of a
 * dropped day and the days of a dropped month are frozen, and rows that come later are added to them, never folded over
 * them. A day that an open segment still has rows in stays: its owner must be able to resume.
 */
export class Retainer {
  readonly #deps: FolderDeps & { readonly folder: Folder };

  constructor(deps: FolderDeps & { readonly folder: Folder }) {
    this.#deps = deps;
  }

  async retain(policy: Retention, now: EpochMs): Promise<RetentionReport> {
    const minute = (age: number): Minute => Math.floor((now - age) / MINUTE_MS);
    const droppedMinuteDays: string[] = [];
    const droppedHourMonths: string[] = [];
    const dropDaysWhile = async (mayGo: (day: Minute) => boolean | Promise<boolean>): Promise<void> => {
      for (const day of (await readExtent(this.#deps)).minuteDays) {
        if ((await mayGo(day)) && (await this.#dropMinutes(day))) droppedMinuteDays.push(dayName(day));
      }
    };
    const dropMonthsWhile = async (mayGo: (month: Minute) => boolean | Promise<boolean>): Promise<void> => {
      for (const month of (await readExtent(this.#deps)).hourMonths) {
        if ((await mayGo(month)) && (await this.#dropHours(month))) droppedHourMonths.push(monthName(month));
      }
    };
    await this.#dropLeftovers();
    // Rows are both: the partials of a process that resumes, and the minutes that are read.
    const rowsMs = Math.min(policy.partialsMs, policy.minutesMs);
    await dropDaysWhile((day) => day + MINUTES_PER_DAY <= minute(rowsMs));
    await dropMonthsWhile((month) => month + monthLength(month) <= minute(policy.hoursMs));
    const droppedDays = await this.#dropDays(minute(policy.daysMs));
    await this.#deps.segments.forget(now - rowsMs);
    // Over the cap: the oldest rows, and when there are none left the oldest hours; days are small and stay.
    await dropDaysWhile(() => this.#isOver(policy));
    await dropMonthsWhile(() => this.#isOver(policy));
    return { droppedMinuteDays, droppedHourMonths, droppedDays, bytes: await this.#bytes(), isOverCap: await this.#isOver(policy) };
  }

  /** False when an open segment has rows in the day, or somebody writes to it just now. */
  async #dropMinutes(day: Minute): Promise<boolean> {
    const { controls, elasticsearch, eras, folder, marks, names, segments } = this.#deps;
    const span: Span = { from: day, to: day + MINUTES_PER_DAY };
    // 1. Announce it: whoever marks an hour from now on calls it off.
    const closing = await eras.close('day', day);
    // 2. Look who is there already.
    const ends = new Map((await segments.heads()).map((head) => [chainName(head.segment), head]));
    await refresh(elasticsearch, [controls.index]);
    const isFree = (await marks.hours(span)).every((mark) => hasEnded(mark, ends));
    // 3. Fold what is not yet. That looks the era up as every writer does, which calls the drop off: announce it again.
    if (!isFree || (await folder.foldHours(span)).left > 0) {
      await eras.callOff(closing);
      return false;
    }
    const again = await eras.close('day', day);
    await refresh(elasticsearch, [controls.index]);
    if (again.era !== closing.era || (await marks.hours(span)).length > 0) {
      await eras.callOff(again);
      return false;
    }
    // 4. From here on the folded hours are frozen, and 5. nobody reads the rows.
    if (!(await eras.finish(again))) return false;
    await this.#delete([names.partial(day, closing.era), names.held(day, closing.era)]);
    return true;
  }

  /** False when the month has days with rows, or somebody folds into it just now. */
  async #dropHours(month: Minute): Promise<boolean> {
    const { controls, elasticsearch, eras, folder, marks, names } = this.#deps;
    const span: Span = { from: month, to: month + monthLength(month) };
    await folder.foldHours(span);
    await folder.foldDays(span);
    const closing = await eras.close('month', month);
    const isFree = async (): Promise<boolean> => {
      await refresh(elasticsearch, [controls.index]);
      const left = [...(await marks.hours(span)), ...(await marks.days(span))];
      return left.length === 0 && !(await readExtent(this.#deps)).minuteDays.some((day) => monthOf(day) === month);
    };
    if (!(await isFree())) {
      await eras.callOff(closing);
      return false;
    }
    if (!(await eras.finish(closing))) return false;
    await this.#delete([names.hours(month, closing.era)]);
    return true;
  }

  /** Returns how many days went. Days that still have hours stay: folding those would bring them back. */
  async #dropDays(before: Minute): Promise<number> {
    const { elasticsearch, names, writer } = this.#deps;
    const extent = await readExtent(this.#deps);
    const [kept = before] = extent.hourMonths;
    const end = Math.min(before, kept) - (MINUTES_PER_DAY - 1);
    const dropped = new Set<number>();
    for (const year of extent.years) {
      if (year >= end) continue;
      const index = names.days(year);
      await refresh(elasticsearch, [index]);
      const filter = [between('ts', 0, end * MINUTE_MS)];
      for await (const page of readDocs<{ readonly ts: number }>(elasticsearch, { index, filter, order: 'any' })) {
        for (const hit of page) dropped.add(hit._source?.ts ?? 0);
        if (year + yearLength(year) <= end) continue;
        const { outcome } = await writer.writeAll(page.map((hit) => ({ op: 'delete' as const, index, id: hit._id ?? '' })));
        if (!outcome.ok) throw new ElasticsearchFault(outcome.reason, { isRetryable: outcome.retryable });
      }
      if (year + yearLength(year) <= end) await this.#delete([index]);
    }
    return dropped.size;
  }

  /** What a drop that was cut off between its last two steps left behind. */
  async #dropLeftovers(): Promise<void> {
    await this.#delete((await readExtent(this.#deps)).leftovers());
  }

  async #delete(indices: readonly string[]): Promise<void> {
    if (indices.length === 0) return;
    await this.#deps.elasticsearch.call(`deleting ${indices.join(', ')}`, (client, options) =>
      client.indices.delete({ index: [...indices], ignore_unavailable: true, allow_no_indices: true }, options),
    );
  }

  async #isOver(policy: Retention): Promise<boolean> {
    return policy.bytesMax > 0 && (await this.#bytes()) > policy.bytesMax;
  }

  /** On the disks of the cluster, with replicas: everything of this installation. */
  async #bytes(): Promise<number> {
    const { elasticsearch, names } = this.#deps;
    const answer = await elasticsearch.call('reading how large the indices are', (client, options) =>
      client.indices.stats({ index: `${names.prefix}-*`, metric: 'store', filter_path: '_all.total.store.size_in_bytes' }, options),
    );
    return answer._all?.total?.store?.size_in_bytes ?? 0;
  }
}
