import { Document, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { safeText } from '../../core/text.ts';
import { type EntityId, assertNever, entityKind, entityName } from '../../core/types.ts';
import { formatBytes, formatNumber, formatPercent } from '../cli/format.ts';
import { looksLikeSecret } from '../config/looks-secret.ts';
import { printRatio, printSize } from '../config/units.ts';
import { escapeUnprintable } from '../json/stringify.ts';
import type { Suggestion } from './report.ts';

/**
 * Suggested limits as a piece of the configuration file, ready to be pasted: a `keys:` list with one entry per key.
 * Comments say what is usual and how many alerts would remain. Empty when there is nothing to suggest.
 */
export function suggestYaml(suggestions: readonly Suggestion[]): string {
  if (suggestions.length === 0) return '';
  const entries = new YAMLSeq();
  for (const [entity, ofEntity] of Map.groupBy(suggestions, (suggestion) => suggestion.entity)) entries.items.push(entryOf(entity, ofEntity));
  const root = new YAMLMap();
  root.items.push(new Pair(new Scalar('keys'), entries));
  const document = new Document(root);
  // No wrapping: a comment or a limit that is broken over two lines is hard to read in a diff.
  return escapeUnprintable(document.toString({ lineWidth: 0, flowCollectionPadding: true }));
}

function entryOf(entity: EntityId, suggestions: readonly Suggestion[]): YAMLMap {
  const entry = new YAMLMap();
  entry.items.push(new Pair(new Scalar('id'), idScalar(entity)));
  // The configuration refuses what looks like a raw key; an id that a gateway gave is none.
  if (entityKind(entity) === 'key' && looksLikeSecret(entityName(entity))) entry.items.push(new Pair(new Scalar('publicId'), new Scalar(true)));
  const label = safeText(suggestions[0]?.label ?? '');
  if (label !== '' && !looksLikeSecret(label)) entry.items.push(new Pair(new Scalar('label'), new Scalar(label)));
  const rules = new YAMLMap();
  for (const suggestion of suggestions) {
    const limits = new YAMLMap();
    limits.flow = true;
    limits.items.push(new Pair(new Scalar('warning'), new Scalar(limitValue(suggestion, suggestion.warning))));
    limits.items.push(new Pair(new Scalar('critical'), new Scalar(limitValue(suggestion, suggestion.critical))));
    const name = new Scalar(suggestion.rule);
    name.commentBefore = ` ${reason(suggestion)}`;
    rules.items.push(new Pair(name, limits));
  }
  entry.items.push(new Pair(new Scalar('rules'), rules));
  return entry;
}

/** Keys go by their bare id, as the inventory names them; every other kind by its whole entity id. */
function idScalar(entity: EntityId): Scalar<string> {
  const id = new Scalar(entityKind(entity) === 'key' ? entityName(entity) : entity);
  // The id must match exactly, so nothing may be left out of it; between double quotes it can be escaped.
  if (escapeUnprintable(id.value) !== id.value) id.type = Scalar.QUOTE_DOUBLE;
  return id;
}

/** In the spelling that the configuration reads back to the same number. */
function limitValue(suggestion: Suggestion, limit: number): number | string {
  switch (suggestion.unit) {
    case 'bytes':
      return printSize(limit);
    case 'ratio':
      return printRatio(limit);
    case 'requests':
    case 'failures':
      return limit;
    default:
      return assertNever(suggestion.unit);
  }
}

function reason(suggestion: Suggestion): string {
  return `99.9 % of the time at most ${amount(suggestion.usual, suggestion.unit)}; of ${formatNumber(suggestion.alerts)} alert${suggestion.alerts === 1 ? '' : 's'} ${formatNumber(suggestion.remaining)} would remain`;
}

/** A value in the unit of its rule, for people. */
function amount(value: number, unit: Suggestion['unit']): string {
  switch (unit) {
    case 'bytes':
      return formatBytes(value);
    case 'ratio':
      return formatPercent(value);
    case 'requests':
    case 'failures':
      return `${formatNumber(value)} ${value === 1 ? unit.slice(0, -1) : unit}`;
    default:
      return assertNever(unit);
  }
}
