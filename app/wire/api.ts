import { slackConfig } from '../../alerts/notify/slack/config.ts';
import type { Clock } from '../../core/clock.ts';
import { Directory } from '../../keys/directory.ts';
import type { Config } from '../config/config.ts';
import type { ApiContext } from '../http/api/route.ts';
import { serveApi } from '../http/api/serve.ts';
import { printListen } from '../http/listen.ts';
import { version } from '../main.ts';
import { ANSWER_WAIT_MS } from '../operate/ask.ts';
import { openOperator } from './operator.ts';

export type StartApiDeps = {
  readonly clock: Clock;
  readonly onProblem: (message: string) => void;
  /** The configuration as it is now: a reload replaces it. Default: the one given. */
  readonly current?: () => Config;
  readonly onReload?: ApiContext['onReload'];
};

/** The API of this process, where one is configured; undefined where none is. */
export async function startApi(config: Config, deps: StartApiDeps): Promise<(AsyncDisposable & { readonly address: string }) | undefined> {
  const { api } = config;
  if (api === undefined) return undefined;
  const { clock, onProblem, current = () => config } = deps;
  await using stack = new AsyncDisposableStack();
  const operator = stack.use(await openOperator(config, { clock, create: true }));
  let directory: { readonly of: Config; readonly made: Directory } | undefined;
  const server = stack.use(
    await serveApi(
      { listen: api.listen, tokens: api.tokens, maxRequests: api.maxRequests, tls: api.tls },
      {
        clock,
        onProblem,
        version: version(),
        slack: () =>
          current().alerts.channels.flatMap(({ kind, settings }) => {
            const bot = kind === 'slack' ? slackConfig.safeParse(settings).data?.bot : undefined;
            return bot?.signingSecret === undefined ? [] : [{ signingSecret: bot.signingSecret, users: bot.users }];
          }),
        context: {
          operator,
          clock,
          directory: () => {
            const now = current();
            if (directory?.of !== now) directory = { of: now, made: new Directory(now.directory) };
            return directory.made;
          },
          channels: () =>
            Object.values(current().alerts.channels)
              .flat()
              .map(({ name }) => name),
          onReload: deps.onReload,
          waitMs: ANSWER_WAIT_MS,
        },
      },
    ),
  );
  const opened = stack.move();
  return { address: printListen(server.address), [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
