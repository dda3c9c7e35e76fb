/** What a sender is told instead of 202: one line that says what is wrong and one that says what to do. No part of a body or a token is in it. */
export type Refusal = {
  readonly status: number;
  readonly error: string;
  readonly fix: string;
  readonly headers?: Readonly<Record<string, string>>;
};

export function refusal(status: number, error: string, fix: string, headers?: Readonly<Record<string, string>>): Refusal {
  return headers === undefined ? { status, error, fix } : { status, error, fix, headers };
}

/** To be sent again later, as it is. */
export function comeAgain(status: 429 | 503, afterMs: number, error: string): Refusal {
  const seconds = Math.max(1, Math.ceil(afterMs / 1000));
  return refusal(status, error, `send the same request again in ${seconds} s, with the same Idempotency-Key if it had one`, { 'retry-after': String(seconds) });
}

/** Its body as it is sent: one line of JSON. */
export function refusalText({ error, fix }: Refusal): string {
  return `${JSON.stringify({ error, fix })}\n`;
}
