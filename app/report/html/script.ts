import { createHash } from 'node:crypto';

/**
 * Everything is there to be read without it. It adds a filter and sorting to the key table, and lets the address
 * choose a theme (`?theme=dark`), for pictures and for people whose system says otherwise.
 */
export const SCRIPT = `
(() => {
  const theme = new URLSearchParams(location.search).get('theme');
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
  for (const table of document.querySelectorAll('table[data-tools]')) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const count = document.createElement('span');
    count.className = 'small';
    count.setAttribute('role', 'status');
    const input = document.createElement('input');
    input.type = 'search';
    input.placeholder = 'Filter by name, id or kind';
    input.setAttribute('aria-label', 'Filter the table');
    input.addEventListener('input', () => {
      const wanted = input.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        row.hidden = !(row.cells[0].textContent + ' ' + (row.dataset.find || '')).toLowerCase().includes(wanted);
        if (!row.hidden) shown++;
      }
      count.textContent = wanted === '' ? '' : shown + ' of ' + rows.length;
    });
    const tools = document.createElement('div');
    tools.className = 'tools';
    tools.append(input, count);
    table.parentElement.before(tools);
    [...table.tHead.rows[0].cells].forEach((head, index) => {
      if (!('sort' in head.dataset)) return;
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'sort';
      button.textContent = head.textContent.trim();
      head.replaceChildren(button);
      button.addEventListener('click', () => {
        const isNumeric = head.dataset.sort === 'number';
        const before = head.getAttribute('aria-sort');
        const sign = (before === null ? isNumeric : before === 'ascending') ? -1 : 1;
        for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
        head.setAttribute('aria-sort', sign < 0 ? 'descending' : 'ascending');
        const value = (row) => row.cells[index].dataset.v ?? row.cells[index].textContent.trim();
        const compare = (a, b) => {
          if (!isNumeric) return value(a).localeCompare(value(b));
          const x = value(a) === '' ? -Infinity : Number(value(a));
          const y = value(b) === '' ? -Infinity : Number(value(b));
          return x === y ? 0 : x - y;
        };
        rows.sort((a, b) => sign * compare(a, b));
        body.append(...rows);
      });
    });
  }
})();
`;

/** Lets exactly this script run, and nothing be loaded from anywhere. */
export const CONTENT_POLICY = [
  "default-src 'none'",
  "style-src 'unsafe-inline'",
  `script-src 'sha256-${createHash('sha256').update(SCRIPT).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');
