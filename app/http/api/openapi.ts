import { z } from 'zod';
import type { Route } from './route.ts';

/** Every answer that is not the one that was asked for. */
export const problemSchema = z.strictObject({ error: z.string().describe('What is wrong, in one line.'), fix: z.string().describe('What to do about it.') });

type Json = Readonly<Record<string, unknown>>;

/** The OpenAPI 3.1 document of the routes: from the very schemas that requests are parsed by. */
export function openApi(routes: readonly Route[], info: { readonly version: string }): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Keywatch',
      version: info.version,
      description:
        'Alerts, incidents, silences, maintenance and exceptions. Writes go to the judge: 200 says that it obeyed, 202 that it has not answered yet, 409 that it refused.',
    },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'Made by keywatch token --role.' } },
      schemas: { Problem: jsonSchema(problemSchema) },
      responses: {
        Problem: { description: 'What is wrong, and what to do.', content: { 'application/json': { schema: { $ref: '#/components/schemas/Problem' } } } },
      },
    },
  };
}

function operation(route: Route): Json {
  const isWrite = route.method !== 'GET' && route.role !== 'viewer';
  const problems = [
    '400',
    '401',
    '403',
    ...(route.params === undefined ? [] : ['404']),
    ...(isWrite ? ['409'] : []),
    ...(route.body === undefined ? [] : ['413']),
    '429',
  ];
  const answer = { content: { 'application/json': { schema: jsonSchema(route.answer) } } };
  return {
    summary: route.summary,
    description: `Role: ${route.role}.`,
    operationId: `${route.method.toLowerCase()}${route.path.replace(/^\/v1/, '').replaceAll(/[/{}.]+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`,
    parameters: [
      ...parametersOf(route.params, 'path'),
      ...parametersOf(route.query, 'query'),
      ...(isWrite
        ? [
            {
              name: 'Idempotency-Key',
              in: 'header',
              required: false,
              schema: { type: 'string', maxLength: 255 },
              description: 'A repeat with the same key is done once and answered alike.',
            },
          ]
        : []),
    ],
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: jsonSchema(route.body), ...(route.example === undefined ? {} : { example: route.example }) } },
          },
        }),
    responses: {
      '200': { description: 'Done.', ...answer },
      ...(isWrite && route.path !== '/v1/reload' ? { '202': { description: 'Stored; the judge has not answered yet.', ...answer } } : {}),
      ...Object.fromEntries(problems.map((status) => [status, { $ref: '#/components/responses/Problem' }])),
    },
  };
}

function parametersOf(schema: z.ZodObject | undefined, where: 'path' | 'query'): readonly Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return Object.entries(properties).map(([name, property]) => {
    const description = typeof property === 'object' ? property.description : undefined;
    return {
      name,
      in: where,
      required: where === 'path' || required.includes(name),
      schema: property,
      ...(description === undefined ? {} : { description }),
    };
  });
}

function jsonSchema(schema: z.ZodType): Json {
  const made = Object.entries(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }));
  return Object.fromEntries(made.filter(([name]) => name !== '$schema'));
}
