import { describe, expect, test } from '@jest/globals'
import { MayflyError, type Connection, type Json, type PolicySet } from '@mayfly/core'
import { assertConnection, makeProviders } from '@mayfly/providers'

import { makeMemoryDenials } from '../../support/memory-denials.ts'

const environment: Record<string, string> = {
  API_URL: 'https://github.acme.example/api/v3',
  APP_KEY: 'key-canary',
  SECRET: 'secret-canary',
}

const resolve = (reference: string): string => {
  const value = environment[reference.replace(/^(env|file):/, '')]
  if (value === undefined) throw new MayflyError('policy_set_invalid', `${reference} is not set`)
  return value
}

const github = (settings: Record<string, Json> = {}): Connection => ({
  kind: 'Connection',
  name: 'github-acme',
  provider: 'github',
  environment: 'development',
  settings: {
    apiUrl: 'env:API_URL',
    appId: 12,
    privateKey: 'env:APP_KEY',
    installations: { acme: 1001 },
    ...settings,
  },
})

function world(options: { inForce: readonly Connection[] | null; pinned?: readonly Connection[] }) {
  const asked: number[] = []
  let inForce = options.inForce
  const named = (connections: readonly Connection[]): Map<string, Connection> =>
    new Map(connections.map((connection) => [connection.name, connection]))
  const providers = makeProviders({
    policies: {
      current: () => {
        if (!inForce) throw new MayflyError('policy_unavailable', 'no policy set is in force')
        return { connections: named(inForce) } as unknown as PolicySet // nothing else is read
      },
    },
    connectionsOf: (version) => {
      asked.push(version)
      return Promise.resolve(named(options.pinned ?? []))
    },
    resolve,
    deniedSessions: makeMemoryDenials({ now: () => new Date() }),
    clock: { now: () => new Date() },
    timeoutMs: 1000,
  })
  return {
    providers,
    asked,
    apply: (connections: readonly Connection[]) => {
      inForce = connections
    },
  }
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: unknown) => (error instanceof MayflyError ? error.code : error),
  )

describe('the providers', () => {
  test('a connection has one provider for as long as it says the same', async () => {
    const { providers, apply } = world({ inForce: [github()] })
    const first = await providers.get('github-acme', 1)
    expect(first.name).toBe('github')
    apply([github()])
    expect(await providers.get('github-acme', 2)).toBe(first)
    apply([github({ appId: 13 })])
    expect(await providers.get('github-acme', 3)).not.toBe(first)
  })

  test('a connection that is gone is taken from the set that the lease was issued under', async () => {
    const { providers, asked } = world({ inForce: [], pinned: [github()] })
    expect((await providers.get('github-acme', 7)).name).toBe('github')
    expect(asked).toEqual([7])
    expect(await codeOf(providers.get('other', 7))).toBe('provider_unavailable')
  })

  test('with no set in force, leases of older sets can still be revoked', async () => {
    const { providers } = world({ inForce: null, pinned: [github()] })
    expect((await providers.get('github-acme', 7)).name).toBe('github')
  })

  test('a connection that cannot be used here is unavailable, and is tried again', async () => {
    const { providers } = world({ inForce: [github({ apiUrl: 'env:LATER' })] })
    expect(await codeOf(providers.get('github-acme', 1))).toBe('provider_unavailable')
    environment['LATER'] = 'https://api.github.com'
    expect(await codeOf(providers.get('github-acme', 1))).toBe('resolved')
    delete environment['LATER']
  })

  test('a secret that cannot be read when it is needed mints nothing', async () => {
    const { providers } = world({ inForce: [github({ privateKey: 'env:NO_KEY' })] })
    const provider = await providers.get('github-acme', 1)
    const prepared = provider.prepare({
      account: 'acme',
      repositoryIds: ['1'],
      permissions: { contents: 'read' },
    })
    const request = {
      leaseId: 'lea_1',
      taskId: 'tsk_1',
      agent: 'a',
      owner: 'o',
      template: 't',
      ttlSeconds: 60,
      expiresAt: new Date(),
    }
    const error: unknown = await prepared
      .mint(request, AbortSignal.timeout(1000))
      .catch((refusal: unknown) => refusal)
    expect(error).toMatchObject({ code: 'provider_rejected', effect: 'none' })
    expect((error as Error).message).not.toContain('NO_KEY')
  })
})

describe('a connection', () => {
  const problemOf = (connection: Connection): unknown => {
    try {
      assertConnection(connection, resolve)
      return null
    } catch (error) {
      return error instanceof MayflyError ? `${error.code}: ${error.message}` : error
    }
  }

  test('is accepted when its references stand for something and its adapter can read it', () => {
    expect(problemOf(github())).toBeNull()
  })

  test('is refused with a missing reference, secret or not', () => {
    expect(problemOf(github({ apiUrl: 'env:NOWHERE' }))).toBe(
      'policy_set_invalid: env:NOWHERE is not set',
    )
    expect(problemOf(github({ privateKey: 'file:/nowhere' }))).toBe(
      'policy_set_invalid: file:/nowhere is not set',
    )
  })

  test('is refused with settings that its adapter cannot read, or with a secret in the clear', () => {
    expect(problemOf(github({ installations: {} }))).toMatch(/^policy_set_invalid: /)
    const open = problemOf(github({ privateKey: 'key-canary' }))
    expect(open).toMatch(/^policy_set_invalid: /)
    expect(open).not.toContain('canary')
  })
})
