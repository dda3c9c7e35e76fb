import type { Command } from 'commander';
import type { Io } from './io.ts';

/** What a file in `app/commands` exports. */
export type CommandModule = { readonly command: (io: Io) => Command };

export type CommandEntry = {
  readonly name: string;
  /** One line in `keywatch --help`. */
  readonly summary: string;
  /** Loads this command's file and no other, so that `analyze` does not wait for what only `run` needs. */
  readonly load: () => Promise<CommandModule>;
};

export const COMMANDS: readonly CommandEntry[] = [
  { name: 'demo', summary: 'see it work: real log lines, six labelled attacks, about a minute', load: () => import('../commands/demo.ts') },
  { name: 'analyze', summary: 'read existing access logs once and report keys, alerts and blind spots', load: () => import('../commands/analyze.ts') },
  { name: 'run', summary: 'watch logs for ever: store, judge, alert on Slack and by email', load: () => import('../commands/run.ts') },
  { name: 'keys', summary: 'list keys, or show one: requests, errors, bytes, addresses, latency', load: () => import('../commands/keys.ts') },
  { name: 'alerts', summary: 'list alerts, acknowledge, resolve, ask why somebody was or was not told', load: () => import('../commands/alerts.ts') },
  { name: 'notify', summary: 'send a marked sample to a channel', load: () => import('../commands/notify.ts') },
  { name: 'routes', summary: 'ask where an alert would go, and which clause decides', load: () => import('../commands/routes.ts') },
  { name: 'incidents', summary: 'list incidents, and export one as a dossier', load: () => import('../commands/incidents.ts') },
  { name: 'silences', summary: 'keep people from being told of what is known', load: () => import('../commands/silences.ts') },
  { name: 'maintenance', summary: 'plan windows in which nobody is told', load: () => import('../commands/maintenance.ts') },
  { name: 'exceptions', summary: 'say what is expected of a key: the answer to a false alarm', load: () => import('../commands/exceptions.ts') },
  { name: 'setup', summary: 'make the topics and indices that the first run needs, and say what the servers lack', load: () => import('../commands/setup.ts') },
  { name: 'dlq', summary: 'look at records that could not be read, and put them back', load: () => import('../commands/dlq.ts') },
  { name: 'generation', summary: 'begin anew with a topic that was made anew', load: () => import('../commands/generation.ts') },
  { name: 'simulate', summary: 'send made-up gateway traffic to a topic, a file or standard output', load: () => import('../commands/simulate.ts') },
  { name: 'token', summary: 'make a token for senders of events, or for the API', load: () => import('../commands/token.ts') },
  { name: 'doctor', summary: 'check the installation, one row per check, with what to do', load: () => import('../commands/doctor.ts') },
  { name: 'config', summary: 'check, show or describe the configuration', load: () => import('../commands/config.ts') },
  { name: 'fingerprint', summary: 'read secrets from standard input, print the ids of their keys', load: () => import('../commands/fingerprint.ts') },
];
