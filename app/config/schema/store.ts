import { z } from 'zod';
import { elasticsearchSchema } from './elasticsearch.ts';
import { count, duration, orOff, size, text } from './fields.ts';

export const storeSchema = z
  .strictObject({
    directory: text()
      .describe('Where Keywatch keeps its state. Default: $KEYWATCH_DATA_DIR, else $XDG_STATE_HOME/keywatch, else ~/.local/state/keywatch.')
      .optional(),
    elasticsearch: elasticsearchSchema.optional(),
    retention: z
      .strictObject({
        partials: duration().describe('What single segments of a log counted, before it is only kept merged.').prefault('3d'),
        minutes: duration().prefault('35d'),
        hours: duration().prefault('430d'),
        days: duration().prefault('7y'),
        bytesMax: orOff(size()).describe('Over it the oldest minutes go first; off is no cap.').prefault('20GB'),
      })
      .check((context) => {
        const { partials, minutes, hours, days } = context.value;
        const complain = (path: string, message: string): void => void context.issues.push({ code: 'custom', input: context.value, path: [path], message });
        if (partials < 3_600_000) complain('partials', 'must be at least 1h, or late events could be lost');
        if (minutes < 7_200_000) complain('minutes', 'must be at least 2h, because rules look back an hour');
        if (hours < minutes) complain('hours', 'must not be shorter than minutes');
        if (days < hours) complain('days', 'must not be shorter than hours');
      })
      .describe('How long windows are kept.')
      .prefault({}),
  })
  .describe('Where metrics are kept: embedded in files of the data directory, or in Elasticsearch.')
  .prefault({});

export const limitsSchema = z
  .strictObject({
    entities: count({ min: 100 })
      .describe('Keys, users and clients that one open segment may hold; what comes on top is counted together.')
      .prefault(1_000_000),
    lineBytes: size().describe('Longer lines are passed over and counted.').prefault('1MB'),
    dictionary: count({ min: 1000 }).describe('Addresses, agents and routes that one open segment may remember.').prefault(1_000_000),
  })
  .describe('Bounds on what traffic can make Keywatch remember.')
  .prefault({});
