import { z } from 'zod';
import type { Path } from './diagnostic.ts';
import { SECRET_MARK } from './schema/fields.ts';
import { configSchema } from './schema/schema.ts';

/** A piece of the JSON Schema of the configuration, as far as we walk it. */
export type Shape = {
  readonly type?: string | undefined;
  readonly properties?: Readonly<Record<string, Shape>> | undefined;
  readonly additionalProperties?: Shape | boolean | undefined;
  readonly items?: Shape | undefined;
  readonly anyOf?: readonly Shape[] | undefined;
  readonly default?: unknown;
  readonly [SECRET_MARK]?: boolean | undefined;
};

let schema: z.core.JSONSchema.BaseSchema | undefined;

/** The JSON Schema of what may stand in the file, for editors and for `config schema`. Made at the first call: most runs need none. */
export function configJsonSchema(): z.core.JSONSchema.BaseSchema {
  schema ??= z.toJSONSchema(configSchema, { io: 'input' });
  return schema;
}

export function rootShape(): Shape {
  return configJsonSchema() as Shape;
}

/** What may stand below `shape` under this name or number. */
export function childShape(shape: Shape | undefined, part: string | number): Shape | undefined {
  if (shape === undefined) return undefined;
  const named = shape.properties !== undefined && Object.hasOwn(shape.properties, part) ? shape.properties[part] : undefined;
  if (named !== undefined) return named;
  if (shape.items !== undefined) return /^\d+$/.test(String(part)) ? shape.items : undefined;
  if (typeof shape.additionalProperties === 'object') return shape.additionalProperties;
  return shape.anyOf?.map((option) => childShape(option, part)).find((found) => found !== undefined);
}

export function shapeAt(path: Path): Shape | undefined {
  let shape: Shape | undefined = rootShape();
  for (const part of path) shape = childShape(shape, part);
  return shape;
}

export function namesOf(shape: Shape | undefined): readonly string[] {
  return Object.keys(shape?.properties ?? {});
}

/** Every path, not into lists, that ends in this name. */
export function pathsNamed(name: string, shape: Shape = rootShape(), path: Path = []): readonly Path[] {
  return Object.entries(shape.properties ?? {}).flatMap(([own, child]) => [
    ...(own === name ? [[...path, own]] : []),
    ...pathsNamed(name, child, [...path, own]),
  ]);
}

export function isSecretShape(shape: Shape | undefined): boolean {
  return shape?.[SECRET_MARK] === true;
}

export function isListShape(shape: Shape | undefined): boolean {
  return shape?.items !== undefined;
}

/** Only text goes here: what is given is taken as it is. */
export function isTextShape(shape: Shape | undefined): boolean {
  return shape?.type === 'string';
}

/** At or below a secret. */
export function isSecretPath(path: Path): boolean {
  return path.some((_, index) => isSecretShape(shapeAt(path.slice(0, index + 1))));
}
