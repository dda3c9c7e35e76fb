import { hash, timingSafeEqual } from 'node:crypto';

/** A token as it is configured: the token itself is stored nowhere. */
export type TokenHash = { readonly name: string; readonly sha256: string };

/** Whose token it is; undefined for none and for a wrong one, which nobody is told apart. */
export type TokenCheck = (authorization: string | undefined) => string | undefined;

/** Every hash is compared, in constant time, so that how long the answer takes says nothing. */
export function tokenCheck(tokens: readonly TokenHash[]): TokenCheck {
  const known = tokens.map(({ name, sha256 }) => ({ name, hash: Buffer.from(sha256, 'hex') }));
  return (authorization) => {
    const token = /^bearer +([\x21-\x7e]+) *$/i.exec(authorization ?? '')?.[1];
    const given = hash('sha256', token ?? '', 'buffer');
    let owner: string | undefined;
    for (const { name, hash: expected } of known) if (timingSafeEqual(given, expected)) owner = name;
    return token === undefined ? undefined : owner;
  };
}
