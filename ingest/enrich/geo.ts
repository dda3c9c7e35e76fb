/** Where an address is. What is not known, or is a private address or a name, gives undefined. */
export interface Geo {
  /** ISO 3166-1 code, two capital letters. */
  country(address: string): string | undefined;
  /** `AS13335 Cloudflare`; without a name only the number. */
  asn(address: string): string | undefined;
  /** Another number after every change of the answers: what was remembered of them is void. */
  readonly version: number;
}
