import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inFreshFolder } from './account.ts';
import { findProgram } from './choice.ts';
import { local } from './local.ts';
import type { Runner } from './server.ts';

export type RsyslogOptions = {
  /** The file it follows, from its first line on. */
  readonly file: string;
  readonly brokers: string;
  readonly topic: string;
  /** `line`: the line alone. `default`: what omkafka sends when nobody chose, a line of syslog with time, host and tag. */
  readonly template: 'line' | 'default';
};

const MODULES = ['/usr/lib/x86_64-linux-gnu/rsyslog', '/usr/lib/aarch64-linux-gnu/rsyslog', '/usr/lib64/rsyslog', '/usr/lib/rsyslog'];

/** Whether rsyslog and its way to Kafka are installed (Debian: rsyslog, rsyslog-kafka). */
export const HAS_RSYSLOG: boolean = findProgram('rsyslogd') !== undefined && MODULES.some((folder) => existsSync(join(folder, 'omkafka.so')));

/** A real rsyslog that follows a log file and sends each line to a topic, as a first deployment does. `end('orderly')` sends what is queued. */
export async function startRsyslog(options: RsyslogOptions): Promise<Runner> {
  const program = findProgram('rsyslogd');
  if (program === undefined) throw new Error('this test needs rsyslog with omkafka: install the packages rsyslog and rsyslog-kafka');
  return inFreshFolder(undefined, 'keywatch-rsyslog-', async (folder) => {
    const config = join(folder, 'rsyslog.conf');
    await mkdir(join(folder, 'state'));
    await writeFile(config, configuration(options, folder));
    const runner = local({ program, folder, args: ['-n', '-f', config, '-i', join(folder, 'rsyslogd.pid')] });
    await runner.start();
    return runner;
  });
}

function configuration({ file, brokers, topic, template }: RsyslogOptions, folder: string): string {
  return `global(workDirectory="${join(folder, 'state')}" maxMessageSize="64k" internalmsg.severity="warning")
module(load="imfile" mode="inotify")
module(load="omkafka")
template(name="line" type="string" string="%msg%")
input(type="imfile" file="${file}" tag="nginx:" ruleset="gateway" addMetadata="off")
ruleset(name="gateway") {
  action(type="omkafka" broker="${brokers}" topic="${topic}" ${template === 'line' ? 'template="line" ' : ''}partitions.auto="on"
    confParam=["acks=all", "linger.ms=20"] closeTimeout="20000"
    resubmitOnFailure="on" keepFailedMessages="on" failedMsgFile="${join(folder, 'failed')}"
    action.resumeRetryCount="-1" action.resumeInterval="1")
}
action(type="omfile" file="${join(folder, 'own.log')}")
`;
}
