import { Secret } from '@mayfly/core'
import { loadConfig } from '@mayfly/worker'
import { describe, expect, test } from '@jest/globals'

const key = Buffer.alloc(32, 7).toString('base64')
const required = {
  DATABASE_URL: 'postgresql://mayfly@db/mayfly',
  SEALING_KEYS: `k1:${key}`,
}

describe('the configuration of the worker', () => {
  test('needs a database and a sealing key, and nothing else', () => {
    expect(loadConfig(required)).toEqual({
      databaseUrl: 'postgresql://mayfly@db/mayfly',
      redisUrl: undefined,
      sealingKeys: [{ id: 'k1', key: new Secret(key) }],
      concurrency: 16,
      sweepIntervalMs: 2_000,
      providerTimeoutMs: 10_000,
      attemptMs: 40_000,
      visibilitySeconds: 45,
      retryCapSeconds: 60,
      logLevel: 'info',
      lagObjectiveSeconds: 60,
      health: { host: '127.0.0.1', port: 8081 },
      env: required,
    })
  })

  test('takes every variable', () => {
    expect(
      loadConfig({
        ...required,
        REDIS_URL: 'rediss://valkey:6379',
        WORKER_CONCURRENCY: '4',
        SWEEP_INTERVAL_MS: '500',
        PROVIDER_TIMEOUT_MS: '3000',
        REVOCATION_VISIBILITY_SECONDS: '13',
        REVOCATION_RETRY_CAP_SECONDS: '5',
        REVOCATION_LAG_OBJECTIVE_SECONDS: '30',
        LOG_LEVEL: 'debug',
        HEALTH_HOST: '0.0.0.0',
        HEALTH_PORT: '0',
      }),
    ).toMatchObject({
      redisUrl: 'rediss://valkey:6379',
      concurrency: 4,
      sweepIntervalMs: 500,
      providerTimeoutMs: 3_000,
      attemptMs: 12_000,
      visibilitySeconds: 13,
      retryCapSeconds: 5,
      logLevel: 'debug',
      lagObjectiveSeconds: 30,
      health: { host: '0.0.0.0', port: 0 },
    })
  })

  test('refuses to hand a revocation to another worker while it may be under way', () => {
    const load = (): unknown =>
      loadConfig({
        ...required,
        PROVIDER_TIMEOUT_MS: '3000',
        REVOCATION_VISIBILITY_SECONDS: '12',
      })
    expect(load).toThrow(/REVOCATION_VISIBILITY_SECONDS: must be more than/)
  })

  test('names everything that is wrong at once, and no value', () => {
    const load = (): unknown =>
      loadConfig({ DATABASE_URL: 'mysql://u:hunter2@db', WORKER_CONCURRENCY: '0' })
    expect(load).toThrow(/DATABASE_URL[^]*SEALING_KEYS[^]*WORKER_CONCURRENCY/)
    expect(load).not.toThrow(/hunter2/)
  })
})
