import { type Capabilities, readCapabilities } from './capabilities.ts';
import { type Difference, differences } from './drift.ts';
import { abandon, follow, followedIndices, lifecyclePolicies, policyDrift, policyNames, putPolicy } from './ilm.ts';
import { JUDGE_INDICES, ensureIndex, indexShape, isDated, singleName } from './judge-indices.ts';
import { allTemplates, installedTemplate, putTemplate, type TemplateRequest } from './judge-templates.ts';
import { IndexNames } from './names.ts';
import { createIndex, metricTemplates } from './templates.ts';
import type { estypes } from '@elastic/elasticsearch';
import type { Elasticsearch } from './client.ts';
import type { JudgeRetention } from './judge-retention.ts';

export type SetupOptions = {
  readonly prefix: string;
  readonly shards: number;
  readonly replicas: number;
  readonly retention: JudgeRetention;
  /** Elasticsearch deletes old windows and findings by policies, where it can. Otherwise Keywatch does, by name; never both. */
  readonly ilm: boolean;
};

/** One thing that is to be there. Doing it again changes nothing. */
export type SetupStep = {
  /** For a person: "index template keywatch-window". */
  readonly what: string;
  readonly isDone: boolean;
  /** It is there, but not as it should be. */
  readonly isChanged: boolean;
  /** What differs; empty when it is done, or missing altogether. */
  readonly drift: readonly Difference[];
  apply(): Promise<void>;
};

export type SetupPlan = {
  readonly steps: readonly SetupStep[];
  /** What this server cannot do, and what follows from it. One line each. */
  readonly lacks: readonly string[];
  /** Who deletes old windows and findings once the plan is applied. */
  readonly deletion: 'keywatch' | 'ilm';
  readonly capabilities: Capabilities;
};

/** Asks the server what it can do and what is there, and says what is missing. Changes nothing: a dry run is a plan that nobody applies. */
export async function planSetup(elasticsearch: Elasticsearch, options: SetupOptions): Promise<SetupPlan> {
  const capabilities = await readCapabilities(elasticsearch);
  const deletion = options.ilm && capabilities.ilm === 'yes' ? 'ilm' : 'keywatch';
  const { prefix, shards, replicas } = options;
  const policies = deletion === 'ilm' ? policyNames(prefix) : {};
  const templates = allTemplates({ prefix, shards, replicas, histogram: capabilities.histogram === 'yes', policies });
  const steps: SetupStep[] = [];
  // 1. Policies, because a template that names one wants it there. 2. Templates. 3. Indices, which take after them.
  if (deletion === 'ilm') for (const policy of lifecyclePolicies(prefix, options.retention)) steps.push(await policyStep(elasticsearch, policy));
  for (const template of templates) steps.push(await templateStep(elasticsearch, template));
  steps.push(...(await indexSteps(elasticsearch, prefix)));
  if (capabilities.ilm === 'yes') steps.push(...(await followSteps(elasticsearch, prefix, deletion)));
  return { steps, lacks: lacksOf(options, capabilities), deletion, capabilities };
}

/** Applies what is not done, in order. Returns what it did. */
export async function applySetup(plan: SetupPlan): Promise<readonly string[]> {
  const done: string[] = [];
  for (const step of plan.steps) {
    if (step.isDone) continue;
    await step.apply();
    done.push(step.what);
  }
  return done;
}

/** For `keywatch doctor`: what is missing or was changed since setup. */
export async function checkDrift(elasticsearch: Elasticsearch, options: SetupOptions): Promise<readonly Pick<SetupStep, 'what' | 'isChanged' | 'drift'>[]> {
  return (await planSetup(elasticsearch, options)).steps.filter((step) => !step.isDone).map(({ what, isChanged, drift }) => ({ what, isChanged, drift }));
}

/** `installed` undefined is a thing that is not there. */
function step(what: string, drift: readonly Difference[] | undefined, apply: () => Promise<void>): SetupStep {
  return { what, isDone: drift?.length === 0, isChanged: drift !== undefined && drift.length > 0, drift: drift ?? [], apply };
}

async function policyStep(elasticsearch: Elasticsearch, policy: ReturnType<typeof lifecyclePolicies>[number]): Promise<SetupStep> {
  return step(`lifecycle policy ${policy.name}`, await policyDrift(elasticsearch, policy), async () => putPolicy(elasticsearch, policy));
}

async function templateStep(elasticsearch: Elasticsearch, request: TemplateRequest): Promise<SetupStep> {
  const installed = await installedTemplate(elasticsearch, request.name);
  const { name, ...wanted } = request;
  const { composed_of: components, ...have } = installed ?? {};
  const drift = installed === undefined ? undefined : differences(wanted, components?.length ? { ...have, composed_of: components } : have);
  return step(`index template ${name}`, drift, async () => putTemplate(elasticsearch, request));
}

/** Indices without a date in their names. A template says nothing to one that is there: fields that came later are added to it. */
async function indexSteps(elasticsearch: Elasticsearch, prefix: string): Promise<readonly SetupStep[]> {
  const names = new IndexNames(prefix);
  const metric = metricTemplates({ prefix, shards: 1, replicas: 0 }).filter((template) => [names.segment, names.control, names.alias].includes(template.name));
  const wanted = [
    ...metric.map(({ name, mappings }) => ({ name, mappings, make: async () => createIndex(elasticsearch, name) })),
    ...JUDGE_INDICES.filter((index) => !isDated(index)).map((index) => ({
      name: singleName(prefix, index),
      mappings: indexShape(index).mappings,
      make: async () => ensureIndex(elasticsearch, prefix, index),
    })),
  ];
  const steps: SetupStep[] = [];
  for (const { name, mappings, make } of wanted) {
    const installed = await readMappings(elasticsearch, name);
    const drift = installed === undefined ? undefined : missingFields(mappings, installed);
    const apply = installed === undefined ? make : async (): Promise<void> => addFields(elasticsearch, name, mappings);
    steps.push(step(`index ${name}`, drift, apply));
  }
  return steps;
}

async function readMappings(elasticsearch: Elasticsearch, index: string): Promise<estypes.MappingTypeMapping | undefined> {
  const answer = await elasticsearch.call(`reading the mapping of ${index}`, (client, options) =>
    client.indices.getMapping({ index, ignore_unavailable: true, allow_no_indices: true }, options),
  );
  return answer[index]?.mappings;
}

/** By the type of each field: what else the server says of a field is its own spelling. A wrong type can only be mended by a new index. */
function missingFields(wanted: estypes.MappingTypeMapping, installed: estypes.MappingTypeMapping): readonly Difference[] {
  const types = (mappings: estypes.MappingTypeMapping): Readonly<Record<string, string>> =>
    Object.fromEntries(Object.entries(mappings.properties ?? {}).map(([field, property]) => [field, property.type ?? 'object']));
  return differences({ mappings: types(wanted) }, { mappings: types(installed) }, { isSubset: true });
}

async function addFields(elasticsearch: Elasticsearch, index: string, mappings: estypes.MappingTypeMapping): Promise<void> {
  const { properties = {} } = mappings;
  await elasticsearch.call(`adding fields to ${index}`, (client, options) => client.indices.putMapping({ index, properties }, options));
}

async function followSteps(elasticsearch: Elasticsearch, prefix: string, deletion: SetupPlan['deletion']): Promise<readonly SetupStep[]> {
  const names = policyNames(prefix);
  const indices = await followedIndices(elasticsearch, prefix);
  if (deletion === 'ilm') {
    const strays = indices.filter((index) => index.policy !== names[index.index]);
    const drift = strays.map(({ name, index, policy }) => ({ path: `${name}: index.lifecycle.name`, wanted: names[index], installed: policy }));
    return [step('existing windows and findings follow their lifecycle policies', drift, async () => follow(elasticsearch, strays, names))];
  }
  const ours = indices.filter((index) => index.policy !== undefined && index.policy === names[index.index]);
  const left: string[] = [];
  for (const policy of lifecyclePolicies(prefix, { windowsMs: 0, findingsMs: 0 })) {
    if ((await policyDrift(elasticsearch, policy)) !== undefined) left.push(policy.name);
  }
  const drift = [
    ...ours.map(({ name, policy }) => ({ path: `${name}: index.lifecycle.name`, wanted: undefined, installed: policy })),
    ...left.map((name) => ({ path: `lifecycle policy ${name}`, wanted: undefined, installed: name })),
  ];
  return [step('no lifecycle policy of keywatch deletes: keywatch does', drift, async () => abandon(elasticsearch, ours, left))];
}

function lacksOf(options: SetupOptions, { ilm, histogram }: Capabilities): readonly string[] {
  const lacks: string[] = [];
  const why = (capability: 'no' | 'unknown'): string => (capability === 'no' ? 'this server has none' : 'these credentials may not ask for it');
  if (options.ilm && ilm !== 'yes') lacks.push(`index lifecycle management: ${why(ilm)}; keywatch deletes old windows and findings itself, by name`);
  if (histogram !== 'yes')
    lacks.push(
      `field type histogram: ${why(histogram)}; windows hold p50, p95 and p99 of each minute, and no percentile over several minutes can be computed from those`,
    );
  return lacks;
}
