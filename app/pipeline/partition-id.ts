import { randomBytes } from 'node:crypto';

/** A name for a file partition that no other has: 16 hex digits. */
export function newPartitionId(): string {
  return randomBytes(8).toString('hex');
}
