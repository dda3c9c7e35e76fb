// @ts-check
/**
 * Makes `app/simulate/data/erddap-day.log.gz`, the day of real log lines that `keywatch demo` replays, from the
 * logs of a public data API (github.com/callumrollo/erddaplogs, MIT). Run it again only when the choice changes:
 *
 *     node scripts/make-demo-data.mjs ../shared/data/logs/erddap
 *
 * What it changes is written in `app/simulate/data/README.md`; all else is as the server wrote it, also the user
 * agents that spill to the next line.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, gzipSync } from 'node:zlib';

/** 19 May 2024, a Sunday without a scanner run: on it the shipped limits raise nothing. */
const DAY = 'access.log.2';
const TARGET = fileURLToPath(new URL('../app/simulate/data/', import.meta.url));

/**
 * Networks in order of appearance: equal networks stay equal, and nothing of the address is left.
 *
 * @type {Map<string, { readonly number: number, readonly hosts: Map<string, number> }>}
 */
const networks = new Map();

/** @param {string} address */
function pseudonym(address) {
  const [network, host] = [address.slice(0, address.lastIndexOf('.')), address.slice(address.lastIndexOf('.') + 1)];
  let known = networks.get(network);
  if (known === undefined) {
    if (networks.size > 255) throw new Error('more than 256 networks do not fit into 198.19.0.0/16');
    known = { number: networks.size, hosts: new Map() };
    networks.set(network, known);
  }
  const number = known.hosts.get(host) ?? known.hosts.size + 10;
  known.hosts.set(host, number);
  return `198.19.${known.number}.${number}`;
}

/** @param {string} line */
function clean(line) {
  return line
    .replace(/^\d+\.\d+\.\d+\.\d+(?= )/, pseudonym)
    .replace(/(email=)[^&\s"]*/g, '$1nobody%40example.com')
    .replace(/(flagKey(?:%3D|=))[0-9A-Za-z]+/gi, '$10');
}

const source = process.argv[2];
if (source === undefined) {
  process.stderr.write('usage: node scripts/make-demo-data.mjs <folder of the erddap logs>\n');
  process.exit(2);
}
const lines = readFileSync(join(source, DAY), 'latin1').split('\n');
const cleaned = `${lines.map(clean).join('\n').trimEnd()}\n`;
// No name and no time in the header: the same input makes the same bytes.
writeFileSync(join(TARGET, 'erddap-day.log.gz'), gzipSync(Buffer.from(cleaned, 'latin1'), { level: constants.Z_BEST_COMPRESSION }));
copyFileSync(join(source, 'LICENSE'), join(TARGET, 'LICENSE'));
process.stdout.write(`${cleaned.split('\n').length - 1} lines, ${networks.size} networks\n`);
