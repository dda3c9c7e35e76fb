import { afterAll, expect, test } from 'vitest';
import type { Config } from '../../../app/config/config.ts';
import { claimInterpretation } from '../../../app/pipeline/interpretation.ts';
import { memoryMetricStore } from '../../../storage/memory/metric-store.ts';
import { workspace } from '../config/support.ts';

const { load, remove } = workspace();
afterAll(remove);

function configOf(reading: string): Config {
  const env = { HOME: '/home/kw', PEPPER: Buffer.alloc(32, 7).toString('base64') };
  return load(`pepper: {env: PEPPER}\nsources: [{kafka: {brokers: [k:9092], topics: [t]}, ${reading}}]`, { env }).config;
}

test('a topic is not read with another format or field map than before, by name, until a generation is begun', async () => {
  await using store = memoryMetricStore();
  await claimInterpretation(store, configOf('format: json, map: {status: code, target: uri}'));
  await claimInterpretation(store, configOf('format: json, map: {target: uri, status: code}'));
  await expect(claimInterpretation(store, configOf('format: json, map: {status: answer, target: uri}'))).rejects.toThrow(
    /another sources\[\]\.map .*keywatch generation new/,
  );
  await expect(claimInterpretation(store, configOf('format: kong'))).rejects.toThrow(/another sources\[\]\.format \(json, now kong\)/);
});
