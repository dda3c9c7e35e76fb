/** A process that accepts events until it is killed: `node intake.ts <directory of the spool>`. Prints its port. */
import { randomBytes } from 'node:crypto';
import { serveEvents } from '../../../../app/http/events.ts';
import { systemClock } from '../../../../core/clock.ts';
import { SpoolWriter } from '../../../../ingest/spool/spool-writer.ts';

const [, , directory = ''] = process.argv;
const onProblem = (message: string): void => void process.stderr.write(`${message}\n`);
// Small files, so that some kills fall between two of them.
const writer = await SpoolWriter.open(
  { directory, bytesMax: 2 ** 30, segmentBytes: 20_000 },
  { clock: systemClock, newId: () => randomBytes(8).toString('hex'), onProblem },
);
const server = await serveEvents(
  { listen: { host: '127.0.0.1', port: 0 }, tokens: [], maxBody: 2 ** 20, maxEvents: 1000, maxRate: null },
  { spool: writer, clock: systemClock, onProblem },
);
process.stdout.write(`${server.address.port}\n`);
