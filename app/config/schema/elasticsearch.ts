import { z } from 'zod';
import { count, secretRef, text, texts } from './fields.ts';

/** `store.elasticsearch`. */
export const elasticsearchSchema = z
  .strictObject({
    nodes: texts('expected an address with its scheme, or a list of them', 'nodes: [https://es.example.com:9200]').describe('Addresses of the nodes.'),
    apiKey: secretRef('An API key with rights on the indices of the prefix.').optional(),
    username: text().optional(),
    password: secretRef('The password of username.').optional(),
    ca: text().describe('Path of a PEM file with the authority of the nodes, where it is not a public one.').optional(),
    prefix: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,40}$/, 'expected lower case letters, digits and dashes')
      .describe('All indices begin with it. Two installations on one cluster need two.')
      .prefault('keywatch'),
    shards: count({ min: 1, max: 100 }).describe('Primary shards of the index of a day of partials and of windows.').prefault(1),
    replicas: count({ min: 0, max: 10 }).describe('Copies of every shard; a cluster of one node has place for none.').prefault(1),
    ilm: z.boolean().describe('Let the cluster delete old indices by ILM instead of Keywatch. Needs a server that has it.').prefault(false),
    compression: z.boolean().describe('Compress what is sent: for a cluster behind a slow line.').prefault(false),
  })
  .check((context) => {
    const { nodes, apiKey, username, password } = context.value;
    const complain = (message: string, path: string[]): void => void context.issues.push({ code: 'custom', input: context.value, message, path });
    for (const [index, node] of nodes.entries())
      if (!/^https?:\/\/[^\s@]+$/.test(node))
        complain(
          node.includes('@') ? 'a password must not stand in an address; use username and password' : 'expected an address such as https://es.example.com:9200',
          ['nodes', String(index)],
        );
    if ((username === undefined) !== (password === undefined)) complain('username and password belong together', []);
    if (apiKey !== undefined && username !== undefined) complain('give apiKey or username, not both', []);
  })
  .describe('Keep metrics and decisions in Elasticsearch 8 or 9 instead of a file. Needs a pepper of its own in this configuration.');
