import { DIMENSIONS } from '../../core/sketch/sketch.ts';
import type { Normaliser } from '../parse/normaliser.ts';

type TermSource = { textOf(hi: number, lo: number): string | undefined; restore(hi: number, lo: number, text: string | undefined): number };
/** Where the texts of each dimension's values live; undefined where only hashes are kept. */
export const TERMS_OF: readonly (((normaliser: Normaliser) => TermSource) | undefined)[] = DIMENSIONS.map((dimension) => {
  switch (dimension) {
    case 'address':
      return (normaliser) => normaliser.addresses;
    case 'network':
      return (normaliser) => normaliser.networks;
    case 'asn':
      return (normaliser) => normaliser.asns;
    case 'country':
      return (normaliser) => normaliser.countries;
    case 'agent':
      return (normaliser) => normaliser.agents;
    case 'route':
      return (normaliser) => normaliser.routes.terms;
    default:
      return undefined;
  }
});
export const TEXT_OF = TERMS_OF.map((terms, index) =>
  DIMENSIONS[index] === 'attempted'
    ? (normaliser: Normaliser) => (hi: number, lo: number) => normaliser.owners.nameOf(hi, lo)
    : terms && ((normaliser: Normaliser) => (hi: number, lo: number) => terms(normaliser).textOf(hi, lo)),
);
export const noText = (): undefined => undefined;
