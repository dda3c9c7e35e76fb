import { createHash, randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { looksLikeSecret } from '../../../app/config/looks-secret.ts';

describe('public ids are let through', () => {
  test.each([
    'kf1_9f3c12ab0123456789abcdef01234567',
    '7c0f6d5e-1b2a-4c3d-8e9f-0a1b2c3d4e5f',
    '{7C0F6D5E-1B2A-4C3D-8E9F-0A1B2C3D4E5F}',
    '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    '507f1f77bcf86cd799439011',
    'AKIAIOSFODNN7EXAMPLE',
    'a1b2c3d4e5',
    'app-42',
    '4711',
    'billing-export-production-eu-west-1-v2',
    'billing-prod-eu-west-1',
    'app_prod_cluster01',
    'load_test_runner42',
    'nightly-test-20261123',
    'mobile_app_android_2026_release_12',
    'key_3ZZbWvCnXYcpQYtHCwvLpJ',
    'acme.orders.read-write.prod',
    'alice@example.com',
    'Team Payments (EMEA), floor 3',
    'client:203.0.113.24 Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
    'BillingExportServiceProductionCluster',
    'd41d8cd98f00b204',
    '',
  ])('%s', (text) => {
    expect(looksLikeSecret(text)).toBe(false);
  });
});

describe('secrets are not', () => {
  test.each([
    'sk_live_4eC39HqLyjWDarjtT1zdp7dc',
    'rk_test_51H8n2jKqXyZ0aB1',
    'kw_live_0123456789abcdef',
    'ghp_16C7e42F292c6912E7710c838347Ae178B4a',
    'github_pat_11ABCDEFG0abcdefghijklm',
    'glpat-abcdefghij0123456789',
    'xoxb-123456789012-abcdefghij',
    'zpka_d67b7e241bb948758f415b79aa8exxxx',
    'AIzaSyA-1234567890abcdefghijklmnopqrstu',
    'SG.abcdefghijklmnop.qrstuvwxyz',
    'npm_abcdefghijklmnopqrstuvwxyz0123',
    'hf_abcdefghijklmnopqrstuvwxyz01',
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc',
    'Bearer abcdefgh12345678',
    'https://hooks.slack.com/services/T00/B00/XXXX',
    'https://user:hunter22@example.com/',
    '-----BEGIN RSA PRIVATE KEY-----',
    'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1',
    '0123456789abcdef0123456789abcdef',
    'x7Kq-9fLmPz3R_tYw8NbVcXdE5Gh1jKl',
    'label: 9b2f7c41e8d05a36b1c4f7e2',
  ])('%s', (text) => {
    expect(looksLikeSecret(text)).toBe(true);
  });

  test('of 2,000 random tokens of 24 bytes, in hex, base64 and base64url, at most one in a hundred passes', () => {
    // The same in every run: by chance alone one run in two hundred would have more.
    const tokens = Array.from({ length: 700 }, (_, i) => createHash('sha256').update(`token ${i}`).digest().subarray(0, 24)).flatMap((bytes) => [
      bytes.toString('hex'),
      bytes.toString('base64'),
      bytes.toString('base64url'),
    ]);
    expect(tokens.filter((token) => !looksLikeSecret(token)).length).toBeLessThanOrEqual(21);
  });

  test('of 2,000 UUIDs none is held up', () => {
    expect(Array.from({ length: 2000 }, () => randomUUID()).filter(looksLikeSecret)).toEqual([]);
  });
});
