import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { systemClock } from '../../../core/clock.ts';
import type { Elasticsearch } from '../../../storage/elasticsearch/client.ts';
import { TEST_PEPPER } from '../../e2e/support/pepper.ts';
import { Scratch } from '../../ingest/kafka/scratch.ts';
import { fresh, services } from '../../services/needs.ts';
import { deletePrefix, openCluster } from '../../storage/elasticsearch/cluster.ts';
import { type Ran, runCli } from '../cli/capture.ts';

/** A configuration for the real broker and the real Elasticsearch, under names of its own that are gone at the end. */
export class Site implements AsyncDisposable {
  readonly name = fresh('cmd');
  readonly folder = mkdtempSync(join(tmpdir(), 'keywatch site '));
  readonly scratch: Scratch;
  readonly elasticsearch: Elasticsearch;
  readonly brokers: string;
  readonly node: string;

  private constructor(parts: { readonly scratch: Scratch; readonly elasticsearch: Elasticsearch; readonly brokers: string; readonly node: string }) {
    this.scratch = parts.scratch;
    this.elasticsearch = parts.elasticsearch;
    this.brokers = parts.brokers;
    this.node = parts.node;
    writeFileSync(join(this.folder, 'pepper'), `${TEST_PEPPER}\n`);
    this.configure();
    for (const topic of [this.topic, this.busTopic, this.deadLetterTopic]) this.scratch.adopt(topic);
  }

  static async open(): Promise<Site> {
    const { kafka, elasticsearch: node } = await services();
    return new Site({ scratch: await Scratch.open(), elasticsearch: await openCluster(node), brokers: kafka, node });
  }

  get topic(): string {
    return `${this.name}-access`;
  }

  get busTopic(): string {
    return `${this.name}-bus`;
  }

  get deadLetterTopic(): string {
    return `${this.name}-dlq`;
  }

  /** Writes keywatch.yml; members of `more` win. */
  configure(more: Readonly<Record<string, unknown>> = {}): void {
    const { topic, busTopic, deadLetterTopic, name, brokers, node } = this;
    const members = {
      pepper: { file: 'pepper' },
      sources: [{ kafka: { brokers: [brokers], topics: [topic], group: name, busTopic, deadLetterTopic } }],
      store: { elasticsearch: { nodes: [node], prefix: name, replicas: 0 } },
      ops: { listen: 'off' },
      ...more,
    };
    writeFileSync(join(this.folder, 'keywatch.yml'), stringify(members));
  }

  /** Runs a command with this configuration. */
  async run(...argv: readonly string[]): Promise<Ran> {
    return runCli([...argv, '-c', join(this.folder, 'keywatch.yml'), '--data-dir', join(this.folder, 'data')], {
      env: { HOME: this.folder },
      clock: systemClock,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scratch[Symbol.asyncDispose]();
    await deletePrefix(this.elasticsearch, this.name);
    await this.elasticsearch[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
