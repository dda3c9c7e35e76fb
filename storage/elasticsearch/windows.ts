import { minuteOf } from '../../core/window.ts';
import { type BulkDocument, BulkWriter } from './bulk-writer.ts';
import { readCapabilities } from './capabilities.ts';
import { ElasticsearchFault } from './fault.ts';
import { datedEnd, documentId, findingIndex, windowIndex } from './judge-indices.ts';
import { installedTemplate, judgeTemplates, putTemplate } from './judge-templates.ts';
import { findingDocument, windowDocument } from './window-document.ts';
import type { Finding } from '../../core/finding.ts';
import type { WindowDocument, WindowStore } from '../../core/ports.ts';
import type { DurationMs, EpochMs, Outcome } from '../../core/types.ts';
import type { Elasticsearch } from './client.ts';
import type { JudgeRetention } from './judge-retention.ts';

export type WindowOptions = {
  readonly elasticsearch: Elasticsearch;
  readonly prefix: string;
  /** The one of this process; default one of its own. */
  readonly writer?: BulkWriter;
  /** Of new templates, where `keywatch setup` was not run. Default 1 and 1. */
  readonly shards?: number;
  readonly replicas?: number;
  /** Windows and findings whose index retention has dropped, or would drop at once, are not written: they would bring it back. Default for ever. */
  readonly retention?: JudgeRetention;
};

/**
 * Windows and findings as documents for dashboards. A window is written again when later partials arrive, with the
 * judge's newest seq as its version. The first write puts the index templates where there are none, and leaves those
 * that are there.
 */
export function windowStore(options: WindowOptions): WindowStore {
  return new WindowIndices(options);
}

class WindowIndices implements WindowStore {
  readonly #options: WindowOptions;
  readonly #writer: BulkWriter;
  #prepared: Promise<{ readonly histogram: boolean }> | undefined;

  constructor(options: WindowOptions) {
    this.#options = options;
    this.#writer = options.writer ?? new BulkWriter(options.elasticsearch);
  }

  async putWindows(windows: readonly WindowDocument[], seq: number): Promise<Outcome> {
    return this.#write(({ histogram }) => this.#windowDocuments(windows, seq, histogram));
  }

  /** Made one by one while they are sent: tens of thousands of documents are never in memory together. */
  *#windowDocuments(windows: readonly WindowDocument[], seq: number, histogram: boolean): Generator<BulkDocument> {
    const { prefix, retention } = this.#options;
    const oldest = this.#oldest(retention?.windowsMs);
    for (const window of windows) {
      const { start } = window.window;
      if (window.resolution !== 'minute') throw new Error('BUG: dashboards read minutes; an hour beside its minutes would count twice');
      if (datedEnd('window', start) <= oldest) continue;
      yield {
        op: 'index',
        index: windowIndex(prefix, start),
        id: documentId(`${minuteOf(start)}.${window.entity}`),
        version: seq,
        source: JSON.stringify(windowDocument(window, seq, { histogram })),
      };
    }
  }

  async putFindings(findings: readonly Finding[]): Promise<Outcome> {
    return this.#write(() => this.#findingDocuments(findings));
  }

  *#findingDocuments(findings: readonly Finding[]): Generator<BulkDocument> {
    const { prefix, retention } = this.#options;
    const oldest = this.#oldest(retention?.findingsMs);
    for (const finding of findings) {
      const { start } = finding.window;
      if (datedEnd('finding', start) <= oldest) continue;
      yield { op: 'create', index: findingIndex(prefix, start), id: documentId(finding.id), source: JSON.stringify(findingDocument(finding)) };
    }
  }

  #oldest(keepMs: DurationMs | undefined): EpochMs {
    return keepMs === undefined ? Number.NEGATIVE_INFINITY : this.#options.elasticsearch.clock.now() - keepMs;
  }
  async #write(documents: (server: { readonly histogram: boolean }) => Iterable<BulkDocument>): Promise<Outcome> {
    this.#prepared ??= prepare(this.#options);
    try {
      const { outcome } = await this.#writer.writeAll(documents(await this.#prepared));
      return outcome;
    } catch (error) {
      if (!(error instanceof ElasticsearchFault)) throw error;
      // Asked again by the next write.
      this.#prepared = undefined;
      return error.outcome();
    }
  }
}

/** Makes sure of the templates, without which the server would guess types from the first document, and reads what they hold. */
async function prepare({ elasticsearch, prefix, shards = 1, replicas = 1 }: WindowOptions): Promise<{ readonly histogram: boolean }> {
  const missing = new Set<string>();
  for (const name of [`${prefix}-window`, `${prefix}-finding`]) if ((await installedTemplate(elasticsearch, name)) === undefined) missing.add(name);
  if (missing.size > 0) {
    const { histogram } = await readCapabilities(elasticsearch);
    const requests = judgeTemplates({ prefix, shards, replicas, histogram: histogram === 'yes' });
    for (const request of requests) if (missing.has(request.name)) await putTemplate(elasticsearch, request);
  }
  const installed = await installedTemplate(elasticsearch, `${prefix}-window`);
  return { histogram: installed?.template?.mappings?.properties?.['latency'] !== undefined };
}
