import type { Matcher } from '../../core/operator.ts';

/** `severity=high`, `key=~billing-.*`, `rule!=failed_auth`; undefined for anything else. */
export function parseMatcher(text: string): Matcher | undefined {
  const [, label, op, value] = /^([A-Za-z_][A-Za-z0-9_.-]*)(=~|!~|!=|=)(.*)$/s.exec(text.trim()) ?? [];
  if (label === undefined || op === undefined || value === undefined) return undefined;
  return { label, op: op as Matcher['op'], value: value.replace(/^"(.*)"$/s, '$1') };
}

/** A name, or a glob with `*` and `?`. */
export function globMatcher(label: string, glob: string): Matcher {
  if (!/[*?]/.test(glob)) return { label, op: '=', value: glob };
  const pattern = glob
    .replace(/[\\^$.|+()[\]{}/]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return { label, op: '=~', value: pattern };
}
