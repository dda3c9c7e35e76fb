import { expect, test } from 'vitest';
import { z } from 'zod';
import { dossierSchema } from '../../../app/json/dossier.ts';

test('docs/schema holds the schema of the dossier (vitest -u writes it)', async () => {
  await expect(`${JSON.stringify(z.toJSONSchema(dossierSchema), null, 2)}\n`).toMatchFileSnapshot('../../../docs/schema/dossier.schema.json');
});
