import { quantile } from 'simple-statistics';

/** The value that a share `p` (0..1) of the values does not pass; undefined for none. Does not change its input. */
export function quantileOf(values: readonly number[], p: number): number | undefined {
  return values.length === 0 ? undefined : quantile([...values], p);
}
