import { z } from 'zod';
import { isFingerprint } from '../../../core/fingerprint.ts';
import { looksLikeSecret } from '../looks-secret.ts';
import { HIDES_VALUE, openText, text } from './fields.ts';
import { overridesSchema } from './rules.ts';

const SECRET_IN_LIST =
  'this looks like the key itself, which must not stand here; name the key by what `keywatch fingerprint` prints, or, if this is a public id of the gateway, add publicId: true';

/** A line of the inventory. Which names are ids is decided by the whole line, because `publicId` may say so. */
export const keySchema = z
  .strictObject({
    id: text()
      .describe('Credential id of the gateway, or a fingerprint (kf1_…) as `keywatch fingerprint` prints it. client:… and user:… name clients and users.')
      .optional(),
    fingerprint: text().describe('Fingerprint of the same key, where the gateway gives it an id too.').optional(),
    match: text().describe('Pattern (* and ?) on labels and ids, instead of an id: limits for many keys.').optional(),
    publicId: z.boolean().describe('The id is public although it looks like a secret.').prefault(false),
    label: openText().describe('How people call the key.').optional(),
    plan: text().describe('One of plans.').optional(),
    owner: openText().describe('Who to ask about it.').optional(),
    contact: openText().describe('Mail address of the owner: where a route to owner leads.').optional(),
    team: openText().describe('Whose the key is; routes may ask for it.').optional(),
    environment: openText().describe('production, staging, …').optional(),
    tier: openText().describe('How much hangs on it: production, admin, test, …; routes may ask for it.').optional(),
    protected: z.boolean().describe('Nothing ever acts on this key by itself.').optional(),
    successor: text().describe('Id, fingerprint or label of the key that takes over: alerts and limits follow.').optional(),
    rules: overridesSchema,
  })
  .check((context) => {
    const { id, fingerprint, match, label, publicId, successor, rules } = context.value;
    const complain = (path: string, message: string, isSecret = false): void =>
      void context.issues.push({ code: 'custom', input: context.value, path: [path], message, ...(isSecret ? { params: HIDES_VALUE } : {}) });
    if (fingerprint !== undefined && !isFingerprint(fingerprint))
      complain('fingerprint', 'expected kf1_ and 32 hex digits, as `keywatch fingerprint` prints them', true);
    if (id !== undefined && !publicId) {
      if (/^kf\d_/.test(id) && !isFingerprint(id)) complain('id', 'expected kf1_ and 32 hex digits, as `keywatch fingerprint` prints them', true);
      else if (looksLikeSecret(id)) complain('id', SECRET_IN_LIST, true);
    }
    if (successor !== undefined && !publicId && looksLikeSecret(successor)) complain('successor', SECRET_IN_LIST, true);
    if (match !== undefined && looksLikeSecret(match)) complain('match', SECRET_IN_LIST, true);
    if (match !== undefined) {
      for (const [name, value] of Object.entries({ id, fingerprint, label, successor }))
        if (value !== undefined) complain(name, `${name} does not go with match, which stands for many keys`);
    } else if (id === undefined && fingerprint === undefined) {
      if (label === undefined)
        context.issues.push({
          code: 'custom',
          input: context.value,
          message: 'a key needs one of id, fingerprint and match (or a label whose limits these are)',
        });
      else if (successor !== undefined) complain('successor', 'a successor needs the id or fingerprint of the key that it follows');
      else if (Object.keys(rules).length === 0 && context.value.plan === undefined)
        complain('label', 'this names no key: add its id or fingerprint, or the limits of all keys with this label');
    }
  });

export type ParsedKey = z.output<typeof keySchema>;

/** A list of keys, or the file that holds it. */
export const keysSchema = z
  .union([
    z.array(keySchema),
    z.strictObject({
      inventory: text().describe('Path of a file with the keys: YAML or JSON (a list as here), or CSV with a line of names. Read again when it changes.'),
    }),
  ])
  .describe('The inventory: who a key is, and limits of its own.')
  .transform((keys): { readonly inventory: string | undefined; readonly list: readonly ParsedKey[] } =>
    Array.isArray(keys) ? { inventory: undefined, list: keys } : { inventory: keys.inventory, list: [] },
  )
  .prefault([]);
