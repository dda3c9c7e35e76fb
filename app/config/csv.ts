/** One cell with where it begins, counted from 0 in the text. */
export type Cell = { readonly text: string; readonly start: number; readonly end: number };
export type CsvRows = { readonly rows: readonly (readonly Cell[])[]; readonly fault?: { readonly message: string; readonly at: number } };

/** RFC 4180, with `,` or `;` (whichever the first line has more of) and blanks around cells passed over. Rows with nothing in them are left out. */
export function parseCsv(text: string): CsvRows {
  const first = text.slice(0, text.search(/\r?\n|$/));
  const separator = first.split(';').length > first.split(',').length ? ';' : ',';
  const rows: Cell[][] = [];
  let row: Cell[] = [];
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  const endRow = (): void => {
    if (row.some((cell) => cell.text !== '')) rows.push(row);
    row = [];
  };
  while (at < text.length) {
    while (text[at] === ' ' || text[at] === '\t') at++;
    const start = at;
    if (text[at] === '"') {
      let value = '';
      for (at++; ; at++) {
        const quote = text.indexOf('"', at);
        if (quote < 0) return { rows, fault: { message: 'a quote opens here and does not close', at: start } };
        value += text.slice(at, quote);
        at = quote + 1;
        if (text[at] !== '"') break;
        value += '"';
      }
      row.push({ text: value, start, end: at });
      while (text[at] === ' ' || text[at] === '\t') at++;
      if (at < text.length && text[at] !== separator && text[at] !== '\n' && text[at] !== '\r')
        return { rows, fault: { message: 'text after a closing quote; double the quotes that belong to the text', at } };
    } else {
      while (at < text.length && text[at] !== separator && text[at] !== '\n' && text[at] !== '\r') at++;
      const value = text.slice(start, at).trimEnd();
      row.push({ text: value, start, end: start + value.length });
    }
    if (text[at] === separator) {
      at++;
      if (at >= text.length) row.push({ text: '', start: at, end: at });
      continue;
    }
    if (text[at] === '\r') at++;
    if (text[at] === '\n') at++;
    endRow();
  }
  endRow();
  return { rows };
}
