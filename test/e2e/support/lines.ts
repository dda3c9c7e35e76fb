/** Simple lines with an account of their own, for tests in which only the number of them matters. */
export function combinedLine(i: number, options: { readonly at?: number; readonly status?: number; readonly key?: string } = {}): string {
  const at = new Date(options.at ?? Date.UTC(2026, 10, 23, 21, 20, 0) + Math.floor(i / 20) * 1000);
  const [day, month, year] = [at.getUTCDate(), MONTHS[at.getUTCMonth()] ?? '', at.getUTCFullYear()];
  const time = `${String(day).padStart(2, '0')}/${month}/${year}:${at.toISOString().slice(11, 19)} +0000`;
  return `198.18.${i % 5}.10 - - [${time}] "GET /v1/orders/${i}?api_key=${options.key ?? `demo-key-${i % 7}-not-real`} HTTP/1.1" ${options.status ?? 200} ${100 + (i % 50)} "-" "curl/8.5.0"\n`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export function combinedLines(count: number, from = 0): string {
  let text = '';
  for (let i = from; i < from + count; i++) text += combinedLine(i);
  return text;
}
