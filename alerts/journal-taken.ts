/** Another process appended to our journal: it is the judge now, and this one must end before it sends anything more. */
export class JournalTakenError extends Error {
  override readonly name = 'JournalTakenError';

  constructor(seq: number) {
    super(`journal entry ${seq} is taken: another keywatch process judges the same data; stop one of the two, this one ends here`);
  }
}
