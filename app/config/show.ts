import { type Path, printPath, printPlace } from './diagnostic.ts';
import { type Layers, isRecord, valueAt } from './layers.ts';
import { type Shape, childShape, isSecretShape, rootShape } from './shape.ts';

export const SECRET_SHOWN = '<secret>';

/** The settings in force, as they would be written in the file: defaults filled in, secrets as `<secret>`. */
export function effectiveTree(layers: Layers): unknown {
  return effective(rootShape(), layers.tree);
}

function effective(shape: Shape | undefined, given: unknown): unknown {
  if (isSecretShape(shape)) return given === undefined ? undefined : SECRET_SHOWN;
  if (given === undefined) return shape?.properties === undefined ? shape?.default : shape.default === undefined ? undefined : effective(shape, shape.default);
  if (Array.isArray(given)) return given.map((item: unknown) => effective(shape?.items, item));
  if (!isRecord(given)) return given;
  const names = new Set([...Object.keys(shape?.properties ?? {}), ...Object.keys(given)]);
  const entries = [...names].map((name): [string, unknown] => [name, effective(childShape(shape, name), given[name])]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

export type Setting = { readonly path: string; readonly value: unknown; readonly origin: string };

/** Every setting with the place that it came from; lists of plain values and empty sections are one setting each. */
export function settings(layers: Layers): readonly Setting[] {
  const found: Setting[] = [];
  const walk = (value: unknown, path: Path): void => {
    if (isRecord(value) && Object.keys(value).length > 0) for (const [name, item] of Object.entries(value)) walk(item, [...path, name]);
    else if (Array.isArray(value) && value.some((item) => isRecord(item))) value.forEach((item: unknown, index) => walk(item, [...path, index]));
    else if (!isRecord(value) || path.length > 0) found.push({ path: printPath(path), value, origin: originOf(layers, path, value) });
  };
  walk(effectiveTree(layers), []);
  return found;
}

function originOf(layers: Layers, path: Path, value: unknown): string {
  const origin = printPlace(layers.origin(path));
  if (value !== SECRET_SHOWN) return origin;
  const reference = valueAt(layers.tree, path);
  if (!isRecord(reference)) return origin;
  const [[kind, name] = []] = Object.entries(reference);
  return `${origin}, kept in ${kind === 'env' ? 'the environment variable' : 'the file'} ${String(name)}`;
}
