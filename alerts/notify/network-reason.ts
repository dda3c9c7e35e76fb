/** What the certificate of the other side is refused for, in words that say what to mend. */
const CERTIFICATE_REASONS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet; is the clock of this machine right?',
  CERT_REVOKED: 'its certificate is revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate signed itself; name its authority by ca',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from an authority that is not known here; name it by ca',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate comes from an authority that is not known here; name it by ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate comes from an authority that is not known here; name it by ca',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate comes from an authority that is not known here; name it by ca',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
};

/** Our own TLS settings are read when a connection is made: another try reads the same. */
const OURS: Readonly<Record<string, string>> = { ERR_OSSL_PEM_NO_START_LINE: 'the file named by ca holds no certificate' };

/** Why nothing was answered, in a few words. Never the message of the error, which may hold an address with a token. */
export function networkReason(error: unknown): string {
  const code = codeOf(error);
  if (code !== undefined) return CERTIFICATE_REASONS[code] ?? OURS[code] ?? code;
  if (!(error instanceof Error)) return 'unknown error';
  if (error.name === 'TimeoutError') return 'no answer in time';
  if (error.name === 'AbortError') return 'aborted';
  return error.cause === undefined ? error.name : networkReason(error.cause);
}

/** The system's or TLS's code of an error, also where a library wrapped it. */
function codeOf(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++)
    if (
      'code' in at &&
      typeof at.code === 'string' &&
      (at.code in CERTIFICATE_REASONS || at.code in OURS || /^(?:E[A-Z_]+|UND_ERR_[A-Z_]+|HPE_[A-Z_]+)$/.test(at.code))
    )
      return at.code;
  return undefined;
}
