import { styleText } from 'node:util';
import type { Output } from './io.ts';

export type Style = Parameters<typeof styleText>[0];
export type Paint = (style: Style, text: string) => string;

/** Colours for one stream: none when it is no terminal or NO_COLOR is set, always with FORCE_COLOR. */
export function painter(stream: Output): Paint {
  return (style, text) => styleText(style, text, { stream });
}

/** Severity and state are always words too; the colour only helps to find them. */
export const SEVERITY_STYLES = { info: 'dim', low: 'cyan', medium: 'yellow', high: 'magenta', critical: 'red' } as const;
