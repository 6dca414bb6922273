import { describe, expect, test } from '@jest/globals'
import { loadConfig } from '@mayfly/broker'
import { ConfigurationError } from '@mayfly/runtime'

const good = {
  PUBLIC_URL: 'https://mayfly.acme.example',
  DATABASE_URL: 'postgres://localhost/mayfly',
  SEALING_KEYS: `k1:${Buffer.alloc(32).toString('base64')}`,
}

const problemOf = (env: Record<string, string>): string => {
  try {
    loadConfig({ ...good, ...env })
    return ''
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message
    throw error
  }
}

describe('the configuration of the broker', () => {
  test('has safe defaults and no default for a secret', () => {
    expect(loadConfig(good)).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      publicUrl: 'https://mayfly.acme.example',
      redisUrl: undefined,
      bootstrapPolicies: undefined,
      tls: null,
      trustProxy: false,
      requestsPerMinute: 6000,
      requestsPerMinutePerCaller: 3000,
      leaseTtlCeilingSeconds: 3600,
      providerTimeoutMs: 10_000,
      logLevel: 'info',
    })
    expect(problemOf({ SEALING_KEYS: '', DATABASE_URL: '', PUBLIC_URL: '' }).split('\n')).toEqual([
      'invalid configuration',
      expect.stringMatching(/^ {2}PUBLIC_URL: /) as unknown,
      expect.stringMatching(/^ {2}DATABASE_URL: /) as unknown,
      expect.stringMatching(/^ {2}SEALING_KEYS: /) as unknown,
    ])
  })

  test.each(['0.0.0.0', '::', '10.0.0.7', 'broker.internal', '127.0.0.1.example'])(
    'R114 plain HTTP on %s is refused unless somebody says that a proxy ends TLS',
    (HOST) => {
      expect(problemOf({ HOST })).toContain('HOST: bearer tokens need TLS beyond loopback')
      expect(problemOf({ HOST, INSECURE_HTTP_BEHIND_PROXY: 'true' })).toBe('')
      expect(problemOf({ HOST, TLS_CERT_FILE: '/c', TLS_KEY_FILE: '/k' })).toBe('')
    },
  )

  test.each(['127.0.0.1', '127.0.1.1', '::1', 'localhost'])('plain HTTP on %s is fine', (HOST) => {
    expect(problemOf({ HOST })).toBe('')
  })

  test('a certificate without its key is refused', () => {
    expect(problemOf({ TLS_CERT_FILE: '/c' })).toContain('one is of no use without the other')
  })

  test('R114 trusted proxies are hops or addresses, never everybody', () => {
    const trustProxy = (text: string): unknown =>
      loadConfig({ ...good, TRUST_PROXY: text }).trustProxy
    expect(trustProxy('2')).toBe(2)
    expect(trustProxy('10.0.0.0/8, fd00::/8')).toEqual(['10.0.0.0/8', 'fd00::/8'])
    expect(trustProxy('false')).toBe(false)
    expect(problemOf({ TRUST_PROXY: 'true' })).toContain('TRUST_PROXY')
  })
})
