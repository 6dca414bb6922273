import { createHash } from 'node:crypto'
import { inspect } from 'node:util'

import {
  Secret,
  UnacceptableMintError,
  type Json,
  type Minted,
  type MintRequest,
} from '@mayfly/core'
import { makeAppJwtSigner } from '@mayfly/providers'
import type { GithubFault } from '@mayfly/standins'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

import { call, openGithub, scope, type GithubWorld } from './github-fixture.ts'
import { loadGithubDescription } from './github-openapi.ts'

const request = { leaseId: 'lea_1', ttlSeconds: 600 } as MintRequest // GitHub is told none of it
const soon = (): AbortSignal => AbortSignal.timeout(10_000)

let world: GithubWorld
beforeEach(async () => {
  world = await openGithub()
})
afterEach(() => world.github.stop())

function mint(input: Json = scope): Promise<Minted> {
  return world.provider.prepare(input).mint(request, soon())
}

async function unacceptable(what: GithubFault): Promise<UnacceptableMintError> {
  world.github.faults.next(what, 'mint')
  const error = await mint().catch((thrown: unknown) => thrown)
  if (error instanceof UnacceptableMintError) return error
  throw new Error('it should have been unacceptable', { cause: error })
}

function tokenOf({ credential }: Minted): string {
  return credential['token'] instanceof Secret ? credential['token'].reveal() : ''
}

describe('a token is for what was asked', () => {
  test('by name: the repository, the permission and metadata, for an hour', async () => {
    const minted = await mint()
    const [issued] = world.github.issued()
    expect(issued).toMatchObject({
      token: tokenOf(minted),
      permissions: { contents: 'write', metadata: 'read' },
      repositorySelection: 'selected',
      repositories: ['acme/payments'],
      expiresAt: minted.credentialExpiresAt,
    })
    expect(minted.credential['username']).toBe('x-access-token')
  })

  test('by id, in numbers and in the text of claims', async () => {
    const ids = { account: 'ACME', repositoryIds: [2, '3', '2'], permissions: { contents: 'read' } }
    await mint(ids)
    expect(world.github.issued()[0]?.repositoryIds).toEqual([2, 3])
    expect(world.provider.prepare(ids).targets).toEqual([
      'github:org:acme',
      'github:permission:contents:read',
      'github:repo-id:2',
      'github:repo-id:3',
    ])
  })

  test('whatever case names are written in', async () => {
    const shouted = {
      ...scope,
      account: 'Acme',
      repositories: ['Payments', 'payments'],
    }
    await mint(shouted)
    expect(world.github.issued()[0]?.repositories).toEqual(['acme/payments'])
    expect(world.provider.prepare(shouted).targets).toEqual([
      'github:org:acme',
      'github:permission:contents:write',
      'github:repo:acme/payments',
    ])
  })

  test('R68 a token of 520 characters with dots goes through whole', async () => {
    const minted = await mint()
    expect(tokenOf(minted)).toMatch(/^ghs_7_[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/)
    expect(tokenOf(minted).length).toBeGreaterThanOrEqual(500)
    expect((await call(world.github, minted.credential, { path: '/repos/acme/payments' })).ok).toBe(
      true,
    )
  })

  test('R63 asking twice mints twice, even one after the other', async () => {
    const first = await mint()
    const second = await mint()
    expect(tokenOf(first)).not.toBe(tokenOf(second))
    expect(world.github.issued()).toHaveLength(2)
  })
})

describe('R65 a token that is more than was asked comes back as unacceptable, with its handle', () => {
  test.each<[string, GithubFault, Record<string, unknown>]>([
    [
      'another permission',
      { kind: 'wider', permissions: { workflows: 'write' } },
      { reason: 'permissions_wider', permissions: ['workflows'] },
    ],
    [
      'more than reading metadata',
      { kind: 'wider', permissions: { metadata: 'write' } },
      { reason: 'permissions_wider', permissions: ['metadata'] },
    ],
    [
      'a level that nobody knows',
      { kind: 'wider', permissions: { contents: 'owner' } },
      { reason: 'permissions_wider', permissions: ['contents'] },
    ],
    [
      'a permission that nobody knows',
      { kind: 'wider', permissions: { everything_at_once: 'read' } },
      { reason: 'permissions_wider', permissions: ['unknown'] },
    ],
    [
      'every repository',
      { kind: 'wider', everyRepository: true },
      { reason: 'repositories_wider' },
    ],
    [
      'another repository',
      { kind: 'replaced', fields: { repositories: [{ id: 2, full_name: 'acme/web' }] } },
      { reason: 'repositories_wider' },
    ],
    [
      "another owner's repository",
      { kind: 'replaced', fields: { repositories: [{ id: 9, full_name: 'evil/payments' }] } },
      { reason: 'repositories_wider' },
    ],
    [
      'repositories that it does not name',
      { kind: 'replaced', fields: { repositories: null } },
      { reason: 'repositories_wider' },
    ],
    ['no end', { kind: 'replaced', fields: { expires_at: null } }, { reason: 'answer_unreadable' }],
    [
      'a year of life',
      { kind: 'replaced', fields: { expires_at: '2099-01-01T00:00:00Z' } },
      { reason: 'lifetime_unexpected' },
    ],
    [
      'permissions that it does not name',
      { kind: 'replaced', fields: { permissions: null } },
      { reason: 'answer_unreadable' },
    ],
    [
      'an answer cut off after the token',
      { kind: 'truncated', characters: 640 },
      { reason: 'answer_unreadable' },
    ],
  ])('%s', async (_name, what, details) => {
    const { code, details: told, minted } = await unacceptable(what)
    expect({ code, details: told }).toEqual({ code: 'provider_overbroad', details })
    expect(minted.credentialExpiresAt.getTime()).toBeGreaterThan(world.clock.now().getTime())

    await world.provider.revoke(minted.handle, soon(), world.clock.now())
    expect(world.github.live()).toEqual([])
  })

  test('its error prints no token', async () => {
    const error = await unacceptable({ kind: 'wider', everyRepository: true })
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(tokenOf(error.minted))
  })

  test('fewer permissions than asked are accepted: they can do no harm', async () => {
    world.github.faults.next({ kind: 'replaced', fields: { permissions: { metadata: 'read' } } })
    expect(tokenOf(await mint())).toMatch(/^ghs_/)
  })
})

describe('R67 death', () => {
  const ask = (minted: Minted) => {
    const now = world.clock.now()
    const sent = { leaseId: 'lea_1', sentAt: now, now }
    return world.provider.verifyDead(minted.handle, sent, soon())
  }

  test('is what a 401 to the token itself proves', async () => {
    const minted = await mint()
    await world.provider.revoke(minted.handle, soon(), world.clock.now())
    expect(await ask(minted)).toEqual({
      dead: true,
      proof: 'GitHub answered 401 to GET /installation/repositories',
    })
    expect(world.waits).toEqual([])
  })

  test('is not proved by a 401 to a token that is too young: it may only not have arrived', async () => {
    const minted = await mint()
    world.github.faults.next({ kind: 'status', status: 401 }, 'revoke')
    world.github.faults.next({ kind: 'status', status: 401 }, 'revoke')
    await world.provider.revoke(minted.handle, soon(), world.clock.now())
    expect(world.waits).toEqual([1000, 1000])
    expect(world.github.live()).toEqual([])
  })

  test('is not proved to a process whose clock is fast, either: the age is by the caller', async () => {
    const minted = await mint()
    const now = world.clock.now()
    world.clock.advance(300)
    world.github.faults.next({ kind: 'status', status: 401 }, 'revoke')
    await world.provider.revoke(minted.handle, soon(), now)
    expect(world.waits).toEqual([1000])
    expect(world.github.live()).toEqual([])
  })

  test('is taken for granted when an older token is answered with 401', async () => {
    const minted = await mint()
    await world.provider.revoke(minted.handle, soon(), world.clock.now())
    world.clock.advance(5)
    await world.provider.revoke(minted.handle, soon(), world.clock.now())
    expect(world.waits).toEqual([])
  })

  test('is asked of the GitHub that minted, whatever the connection says by now', async () => {
    const minted = await mint()
    const other = await openGithub()
    try {
      const now = world.clock.now()
      const sent = { leaseId: 'lea_1', sentAt: now, now }
      expect(await other.provider.verifyDead(minted.handle, sent, soon())).toMatchObject({
        dead: false,
      })
      await other.provider.revoke(minted.handle, soon(), new Date())
      expect(world.github.live()).toEqual([])
    } finally {
      await other.github.stop()
    }
  })

  test('of a token while its installation was suspended waits for the end of that', async () => {
    const minted = await mint()
    await suspend('PUT')
    expect(await ask(minted)).toMatchObject({ dead: false })
    await suspend('DELETE')
    await world.provider.revoke(minted.handle, soon(), world.clock.now())
    expect(await ask(minted)).toMatchObject({ dead: true })
  })
})

test('R66 the fingerprint of the token is the hashed_token of GitHub', async () => {
  const minted = await mint()
  const answer = await fetch(new URL('/_standin/issued', world.github.url))
  expect(await answer.json()).toMatchObject([
    { hashedToken: createHash('sha256').update(tokenOf(minted)).digest('base64'), live: true },
  ])
})

test('the permissions that scopes may name are those of GitHub, at the same levels', async () => {
  const { permissions } = await loadGithubDescription()
  const attempt = (name: string, level: string): boolean => {
    try {
      world.provider.prepare({ ...scope, permissions: { [name]: level } })
      return true
    } catch {
      return false
    }
  }
  const accepted = Object.keys(permissions).map((name) => [
    name,
    ['read', 'write', 'admin'].filter((level) => attempt(name, level)),
  ])
  expect(Object.fromEntries(accepted)).toEqual(
    Object.fromEntries(Object.entries(permissions).map(([name, levels]) => [name, levels.enum])),
  )
  expect(attempt('workflows', 'read')).toBe(false)
  expect(attempt('team_discussions', 'read')).toBe(false)
  expect(attempt('constructor', 'read')).toBe(false)
})

/** With an App JWT, as a responder would. */
async function suspend(method: 'PUT' | 'DELETE'): Promise<void> {
  const sign = makeAppJwtSigner({ appId: '7', privateKey: new Secret(world.privateKey) })
  const answer = await fetch(new URL('/app/installations/101/suspended', world.github.url), {
    method,
    headers: { authorization: `Bearer ${await sign()}` },
  })
  expect(answer.status).toBe(204)
}
