import type { Detail, ThresholdRule } from '../rule.ts';
import { sizes, timeOfDay } from '../wording.ts';

/** Too many bytes within an hour. */
export const dataTransfer: ThresholdRule = {
  id: 'data_transfer',
  family: 'threshold',
  description: 'A key moves more bytes within an hour than it may: request and response sizes together, as far as the log shows them.',
  formula: 'bytes in + bytes out over the last 60 minutes > limit; a size that the log does not show counts as nothing',
  unit: 'bytes',
  defaults: { warning: 524_288_000, critical: 1_073_741_824 },
  action: 'review usage',
  minutes: 60,
  subjects: ['key', 'user', 'client'],
  warningSeverity: 'medium',
  isAtLeast: false,
  isMonotone: true,
  isDistinct: false,
  basis: 'bytes',
  value: (sums, entity) => sums.bytes60[entity] as number,
  why: ({ observed, limit, window, detail }) => {
    const [bytes, limitBytes] = sizes(observed, limit);
    return `${bytes} ${moved(detail)} in the hour to ${timeOfDay(window.end)}, limit ${limitBytes}${blind(detail)}.`;
  },
};

function moved(detail: Detail | undefined): string {
  if (detail === undefined || detail.bytesIn === detail.bytesOut) return 'transferred';
  return detail.bytesOut > detail.bytesIn ? 'transferred, mostly in responses,' : 'transferred, mostly in requests,';
}

function blind(detail: Detail | undefined): string {
  if (detail === undefined) return '';
  if (!detail.isBytesInKnown && detail.isBytesOutKnown) return ' (request sizes are not in this log)';
  if (detail.isBytesInKnown && !detail.isBytesOutKnown) return ' (response sizes are not in this log)';
  return '';
}
