/**
 * DEL, C1 controls, bidi and other invisible characters, and line separators. JSON allows them raw, but output
 * is also read on terminals, where they would reorder or hide what stands beside them.
 */
const UNPRINTABLE = /[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** JSON.stringify with every unprintable character escaped: the same value to a parser, harmless on a terminal. */
export function stringify(value: unknown): string {
  return escapeUnprintable(JSON.stringify(value) ?? 'null');
}

/** `\uXXXX` for every unprintable character. For texts in which that means the same: inside quotes of JSON and YAML. */
export function escapeUnprintable(quoted: string): string {
  return quoted.replace(UNPRINTABLE, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
