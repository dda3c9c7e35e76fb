import { z } from 'zod';
import { secretRef, text } from './fields.ts';

/** `tls` of what listens. */
export const serverTlsSchema = z
  .strictObject({
    cert: text().describe('Path of a PEM file with the certificate, followed by those between it and its authority.'),
    key: secretRef('The private key of that certificate, PEM.'),
    clientCa: text().describe('Path of a PEM file with an authority: then only clients with a certificate of it get in, beside their token.').optional(),
  })
  .describe('Serve TLS 1.3. Without it put a proxy that does in front.');
