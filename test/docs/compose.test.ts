import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { SOURCE_FOLDERS } from '../../bin/sources.mjs';
import { COMMANDS } from '../../app/cli/commands.ts';
import { ELASTICSEARCH_VERSION, KAFKA_VERSION } from '../services/versions.ts';
import { ROOT } from './pages.ts';

type Healthcheck = { readonly test?: readonly string[]; readonly disable?: boolean };
type Service = {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: Healthcheck;
  readonly restart: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly profiles?: readonly string[];
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
};
type Compose = { readonly services: Readonly<Record<string, Service>>; readonly volumes: Readonly<Record<string, unknown>> };

const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const compose = parse(text('docker-compose.yml'), { merge: true }) as Compose;
const services = Object.entries(compose.services);
const isOneShot = ({ restart }: Service): boolean => restart === 'no';
const hasProbe = ({ healthcheck }: Service): boolean => healthcheck?.test !== undefined;
/** Names of the services for which `is` does not hold. */
const except = (is: (service: Service) => boolean): readonly string[] => services.filter(([, service]) => !is(service)).map(([name]) => name);

describe('docker-compose.yml', () => {
  test('starts Kafka, Elasticsearch, Kibana, Mailpit and Keywatch, and the simulator only in the demo', () => {
    const always = services.filter(([, { profiles }]) => profiles === undefined).map(([name]) => name);
    expect(always.toSorted()).toEqual(['elasticsearch', 'kafka', 'keywatch', 'kibana', 'mailpit', 'pepper', 'setup']);
    expect(except(({ profiles }) => profiles === undefined)).toEqual(['gateway']);
    expect(compose.services['gateway']?.profiles).toEqual(['demo']);
  });

  test('every service shows its health or ends by itself; the simulator serves nothing that could be asked', () => {
    expect(except((service) => hasProbe(service) || isOneShot(service))).toEqual(['gateway']);
  });

  test('whatever waits for another waits for its health, or for its end', () => {
    const waits = services.flatMap(([name, { depends_on = {} }]) => Object.entries(depends_on).map(([on, { condition }]) => ({ name, on, condition })));
    const wrong = waits.filter(({ on, condition }) => {
      const service = compose.services[on];
      if (service === undefined) return true;
      return isOneShot(service) ? condition !== 'service_completed_successfully' : condition !== 'service_healthy' || !hasProbe(service);
    });
    expect(waits.length).toBeGreaterThan(5);
    expect(wrong).toEqual([]);
  });

  test('images are pinned, to the versions that the tests run against', () => {
    expect(except(({ image }) => /:v?\d[\w.-]*$/.test(image) || image === 'keywatch:local')).toEqual([]);
    expect(compose.services['kafka']?.image).toBe(`apache/kafka:${KAFKA_VERSION}`);
    expect(compose.services['elasticsearch']?.image.split(':')[1]).toBe(ELASTICSEARCH_VERSION);
    expect(compose.services['kibana']?.image.split(':')[1]).toBe(ELASTICSEARCH_VERSION);
    expect(except(({ image, build }) => (image === 'keywatch:local') === (build !== undefined))).toEqual([]);
  });

  test('Keywatch has no root, no capability and no file system to write to', () => {
    const isConfined = ({ user = '0', read_only, cap_drop, security_opt }: Service): boolean =>
      Number.parseInt(user, 10) > 0 && read_only === true && cap_drop?.includes('ALL') === true && security_opt?.includes('no-new-privileges:true') === true;
    expect(except((service) => service.build === undefined || isConfined(service))).toEqual([]);
  });

  test('nothing is open to other machines', () => {
    expect(except(({ ports = [] }) => ports.every((port) => port.startsWith('127.0.0.1:')))).toEqual([]);
  });

  test('no secret stands in the file', () => {
    const secretive = /pass|secret|token|key(?!watch)|pepper|credential/i;
    const named = services.flatMap(([, { environment = {} }]) => Object.keys(environment)).filter((name) => secretive.test(name));
    expect(named).toEqual([]);
    expect(text('docker-compose.yml')).not.toMatch(/\/\/[^\s/]+:[^\s/]+@/);
  });

  test('every volume has a name and is used, and every file that is mounted is there', () => {
    const mounts = services.flatMap(([, { volumes = [] }]) => volumes).map((mount) => mount.split(':')[0] ?? '');
    const names = mounts.filter((from) => !/^[./]/.test(from));
    expect([...new Set(names)].toSorted()).toEqual(Object.keys(compose.volumes).toSorted());
    const paths = mounts.filter((from) => /^[./]/.test(from));
    expect(paths.filter((from) => !existsSync(join(ROOT, from)))).toEqual([]);
  });

  test('Keywatch is started with commands that it has', () => {
    const known = new Set(COMMANDS.map(({ name }) => name));
    const ours = services.filter(([, { build, entrypoint }]) => build !== undefined && entrypoint === undefined);
    expect(ours.map(([, { command = [] }]) => command[0] ?? '').toSorted()).toEqual(['run', 'setup', 'simulate']);
    expect(ours.filter(([, { command = [] }]) => !known.has(command[0] ?? ''))).toEqual([]);
  });
});

describe('Dockerfile', () => {
  const lines = text('Dockerfile')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => /^[A-Z]+ /.test(line));
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
  const allowed = text('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));

  test('bases are pinned, and Node is the one of package.json', () => {
    const bases = lines.filter((line) => line.startsWith('FROM ')).map((line) => line.split(' ')[1] ?? '');
    const { dependencies } = JSON.parse(text('package.json')) as { dependencies: Record<string, string> };
    expect(bases.filter((base) => !/:[\w-]*\d{2,}/.test(base))).toEqual([]);
    expect(bases[0]).toMatch(new RegExp(`^node:${dependencies['node']?.replaceAll('.', '\\.')}-`));
  });

  test('the program is not root, and its health is asked where it serves it', () => {
    expect(last.find((line) => line.startsWith('USER '))).toMatch(/^USER [1-9]\d*:[1-9]\d*$/);
    const health = last.find((line) => line.startsWith('HEALTHCHECK ')) ?? '';
    const port = /KEYWATCH_OPS__LISTEN=0\.0\.0\.0:(\d+)/.exec(last.find((line) => line.startsWith('ENV ')) ?? '')?.[1];
    expect(health).toContain(`http://127.0.0.1:${port}/livez`);
    expect(last).toContain(`EXPOSE ${port}`);
    expect(compose.services['keywatch']?.healthcheck?.test?.join(' ')).toContain(`http://127.0.0.1:${port}/livez`);
    expect(compose.services['keywatch']?.ports?.join(' ')).toMatch(new RegExp(`:${port}$`));
  });

  test('every folder that is compiled reaches the build, and nothing that can hold a key', () => {
    expect(SOURCE_FOLDERS.filter((folder) => !allowed.includes(folder))).toEqual([]);
    expect(text('.dockerignore').split('\n')).toContain('*');
    expect(allowed.filter((path) => ['test', 'docs', 'node_modules', '.git', '.env'].includes(path))).toEqual([]);
    const copied = lines.filter((line) => line.startsWith('COPY ') && !line.includes('--from=')).flatMap((line) => line.split(' ').slice(1, -1));
    expect(copied.filter((path) => path !== '.' && !allowed.includes(path))).toEqual([]);
  });
});
