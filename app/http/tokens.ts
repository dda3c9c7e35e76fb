import { hash, timingSafeEqual } from 'node:crypto';

/** A token as it is configured: the token itself is stored nowhere. */
export type TokenHash = { readonly name: string; readonly sha256: string };

/** Which token it is; undefined for none and for a wrong one, which nobody is told apart. */
export type TokenCheck<Token extends TokenHash> = (authorization: string | undefined) => Token | undefined;

/** Every hash is compared, in constant time, so that how long the answer takes says nothing. */
export function tokenCheck<Token extends TokenHash>(tokens: readonly Token[]): TokenCheck<Token> {
  const known = tokens.map((token) => ({ token, hash: Buffer.from(token.sha256, 'hex') }));
  return (authorization) => {
    const text = /^bearer +([\x21-\x7e]+) *$/i.exec(authorization ?? '')?.[1];
    const given = hash('sha256', text ?? '', 'buffer');
    let found: Token | undefined;
    for (const { token, hash: expected } of known) if (timingSafeEqual(given, expected)) found = token;
    return text === undefined ? undefined : found;
  };
}
