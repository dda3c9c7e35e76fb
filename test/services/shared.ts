import { type Server as HttpServer, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Means, meansHere } from './choice.ts';
import { startElasticsearch } from './elasticsearch.ts';
import { startKafka } from './kafka.ts';

export type ServiceName = 'kafka' | 'elasticsearch';
/** Where test files learn of the shared servers; handed to every worker. */
export type SharedServices = {
  /** Whether there is one, or will be when it is asked for. */
  readonly has: Readonly<Record<ServiceName, boolean>>;
  /** Whether a test can start one of its own, to break it. */
  readonly canStart: boolean;
  /** A missing server is a failure, not a skip. */
  readonly isRequired: boolean;
  /** What is missing. */
  readonly why: string;
  /** `GET {door}/kafka` answers when the broker does: with its address, or with 500 and the reason. */
  readonly door: string;
};

declare module 'vitest' {
  interface ProvidedContext {
    readonly services: SharedServices;
  }
}

const START: Readonly<Record<ServiceName, (signal: AbortSignal) => Promise<AsyncDisposable & { readonly address: string }>>> = {
  kafka: async (signal) => {
    const service = await startKafka({ signal });
    return { ...service, address: service.brokers };
  },
  elasticsearch: async (signal) => {
    const service = await startElasticsearch({ heapMb: 1024, signal });
    return { ...service, address: service.url };
  },
};
const VARIABLES: Readonly<Record<ServiceName, string>> = { kafka: 'KEYWATCH_TEST_KAFKA', elasticsearch: 'KEYWATCH_TEST_ES' };

/** One broker and one node for the whole run, each started when it is asked for the first time. */
export class ServiceDoor implements AsyncDisposable {
  readonly #env: NodeJS.ProcessEnv;
  readonly #means: Means;
  readonly #closing = new AbortController();
  readonly #started = new Map<ServiceName, Promise<AsyncDisposable & { readonly address: string }>>();
  readonly #server: HttpServer = createServer((request, response) => {
    const name = request.url === '/kafka' ? 'kafka' : 'elasticsearch';
    this.address(name).then(
      (address) => response.end(address),
      (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.message : String(error)),
    );
  });

  private constructor(env: NodeJS.ProcessEnv, means: Means) {
    this.#env = env;
    this.#means = means;
  }

  static async open(env: NodeJS.ProcessEnv): Promise<ServiceDoor> {
    const door = new ServiceDoor(env, await meansHere(env));
    await new Promise<void>((resolve) => door.#server.listen(0, '127.0.0.1', resolve));
    return door;
  }

  get means(): Means {
    return this.#means;
  }

  get shared(): SharedServices {
    const canStart = this.#means.by !== 'nothing';
    const has = (name: ServiceName): boolean => this.#given(name) !== undefined || canStart;
    return {
      has: { kafka: has('kafka'), elasticsearch: has('elasticsearch') },
      canStart,
      isRequired: this.#env['KEYWATCH_TEST_SERVICES'] === 'required',
      why: this.#means.by === 'nothing' ? this.#means.why : '',
      door: `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`,
    };
  }

  async address(name: ServiceName): Promise<string> {
    const given = this.#given(name);
    if (given !== undefined) return given;
    if (this.#means.by === 'nothing') throw new Error(`cannot start ${name} for the tests: ${this.#means.why}`);
    let service = this.#started.get(name);
    if (service === undefined) {
      service = START[name](this.#closing.signal);
      this.#started.set(name, service);
    }
    return (await service).address;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
    this.#closing.abort();
    const services = await Promise.allSettled(this.#started.values());
    this.#started.clear();
    await Promise.all(services.map(async (result) => result.status === 'fulfilled' && result.value[Symbol.asyncDispose]()));
  }

  #given(name: ServiceName): string | undefined {
    const address = this.#env[VARIABLES[name]];
    return address === undefined || address === '' ? undefined : address;
  }
}
