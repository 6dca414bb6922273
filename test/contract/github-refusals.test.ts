import { inspect } from 'node:util'

import {
  MayflyError,
  MintError,
  Secret,
  type Json,
  type Minted,
  type MintRequest,
} from '@mayfly/core'
import type { GithubEndpoint, GithubFault } from '@mayfly/standins'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

import { openGithub, scope, type GithubWorld } from './github-fixture.ts'
import { expectNoSecrets } from './provider-contract.ts'

const request = { leaseId: 'lea_1', ttlSeconds: 600 } as MintRequest // GitHub is told none of it
const soon = (): AbortSignal => AbortSignal.timeout(10_000)

/** Text that GitHub might put into an answer and that must not come out of the provider. */
const CANARY = 'ghs_7_canary.in.githubs_own-words_0123456789'

let world: GithubWorld
beforeEach(async () => {
  world = await openGithub({ timeoutMs: 1_000 })
})
afterEach(() => world.github.stop())

function fault(what: GithubFault, on: GithubEndpoint): void {
  world.github.faults.next(what, on)
}

function mint(input: Json = scope, signal = soon()): Promise<Minted> {
  return world.provider.prepare(input).mint(request, signal)
}

async function refusal(work: Promise<unknown>): Promise<Record<string, unknown>> {
  const error = await work.then(
    () => new Error('it should have failed'),
    (thrown: unknown) => thrown,
  )
  expectNoSecrets([error], [CANARY, 'Bearer', 'eyJ', ...world.github.issued().map((t) => t.token)])
  if (!(error instanceof MayflyError)) throw error
  expect(error.message).toMatch(/\w/)
  return {
    code: error.code,
    reason: error.details['reason'],
    retryable: error.retryable,
    ...(error.retryAfterSeconds !== undefined && { after: error.retryAfterSeconds }),
    ...(error instanceof MintError && { effect: error.effect }),
  }
}

const rejected = (reason: string) => ({ code: 'provider_rejected', reason, retryable: false })
const throttled = (after: number) => ({
  code: 'provider_throttled',
  reason: 'rate_limited',
  retryable: true,
  after,
})
const unavailable = (reason: string) => ({
  code: 'provider_unavailable',
  reason,
  retryable: true,
})

describe("R69 each of GitHub's answers to a mint has a reason of its own, and says whether a token may exist", () => {
  const message = CANARY
  test.each<[string, GithubFault, Record<string, unknown>]>([
    ['400', { kind: 'status', status: 400, message }, rejected('request_refused')],
    ['401', { kind: 'status', status: 401, message }, rejected('app_not_accepted')],
    ['403', { kind: 'status', status: 403, message }, rejected('installation_suspended')],
    ['404', { kind: 'status', status: 404, message }, rejected('installation_unknown')],
    ['422', { kind: 'status', status: 422, message }, rejected('scope_not_granted')],
    ['429', { kind: 'status', status: 429, retryAfterSeconds: 17, message }, throttled(17)],
    ['429 without a time', { kind: 'status', status: 429 }, throttled(60)],
    ['403 with retry-after', { kind: 'status', status: 403, retryAfterSeconds: 30 }, throttled(30)],
    [
      'an exhausted limit',
      { kind: 'status', status: 403, rateLimitResetSeconds: 90 },
      throttled(90),
    ],
    ['a far reset', { kind: 'status', status: 429, rateLimitResetSeconds: 9e9 }, throttled(3600)],
  ])('%s means that nothing was minted', async (_name, what, expected) => {
    fault(what, 'mint')
    const { after, ...rest } = await refusal(mint())
    const { after: wanted, ...others } = expected
    expect(rest).toEqual({ ...others, effect: 'none' })
    // GitHub writes whole seconds, and the answer took some milliseconds.
    if (typeof wanted === 'number') expect(Math.abs(Number(after) - wanted)).toBeLessThanOrEqual(1)
    expect(world.github.issued()).toEqual([])
  })

  test.each<[string, GithubFault, Record<string, unknown>]>([
    ['500', { kind: 'status', status: 500, message }, unavailable('github_failed')],
    ['502', { kind: 'status', status: 502, message }, unavailable('github_failed')],
    ['a redirect', { kind: 'status', status: 302, message }, unavailable('answer_unreadable')],
    ['no answer in time', { kind: 'hang' }, unavailable('timeout')],
    ['a dropped connection', { kind: 'dropped' }, unavailable('connection_lost')],
    ['an answer lost after the mint', { kind: 'lost' }, unavailable('connection_lost')],
    ['garbage', { kind: 'garbage' }, unavailable('answer_unreadable')],
    ['an empty answer', { kind: 'empty' }, unavailable('answer_unreadable')],
    [
      'an answer cut off before the token ends',
      { kind: 'truncated', characters: 60 },
      unavailable('answer_unreadable'),
    ],
    [
      'an answer without a token',
      { kind: 'replaced', fields: { token: null } },
      unavailable('answer_unreadable'),
    ],
    [
      'an empty token',
      { kind: 'replaced', fields: { token: '' } },
      unavailable('answer_unreadable'),
    ],
  ])('%s has an unknown effect', async (_name, what, expected) => {
    fault(what, 'mint')
    expect(await refusal(mint())).toEqual({ ...expected, effect: 'unknown' })
  })

  test('a redirect is not followed: it could take the token to another host', async () => {
    const location = new URL('/elsewhere', world.github.url).href
    const what = { kind: 'status', status: 307, location } as const
    for (const on of ['mint', 'revoke', 'probe'] as const) {
      const { handle } = await mint()
      const before = world.github.requests().length
      fault(what, on)
      const now = world.clock.now()
      const sent = { leaseId: 'lea_1', sentAt: now, now }
      const attempts = {
        mint: () => mint(),
        revoke: () => world.provider.revoke(handle, soon(), world.clock.now()),
        probe: () => world.provider.verifyDead(handle, sent, soon()),
      }
      expect(await refusal(attempts[on]())).toMatchObject({ reason: 'answer_unreadable' })
      expect(world.github.requests()).toHaveLength(before + 1)
    }
  })

  test('giving up while GitHub thinks has an unknown effect', async () => {
    fault({ kind: 'hang' }, 'mint')
    const caller = new AbortController()
    const minting = refusal(mint(scope, caller.signal))
    await seen('POST')
    caller.abort()
    expect(await minting).toEqual({ ...unavailable('aborted'), effect: 'unknown' })
  })

  test('giving up before anything was sent has none', async () => {
    const gone = AbortSignal.abort()
    expect(await refusal(mint(scope, gone))).toEqual({ ...unavailable('aborted'), effect: 'none' })
    expect(world.github.requests()).toEqual([])
  })

  test('a slow answer within the time is an answer', async () => {
    fault({ kind: 'slow', milliseconds: 50 }, 'mint')
    expect((await mint()).credential['username']).toBe('x-access-token')
  })
})

describe('what the stand-in itself refuses comes out the same way', () => {
  test('a repository outside the installation, and a permission that the App lacks', async () => {
    const elsewhere = { ...scope, repositories: ['secrets'] }
    expect(await refusal(mint(elsewhere))).toEqual({
      ...rejected('scope_not_granted'),
      effect: 'none',
    })
    const more = { ...scope, permissions: { administration: 'write' } }
    expect(await refusal(mint(more))).toEqual({ ...rejected('scope_not_granted'), effect: 'none' })
  })

  test('an installation that is gone', async () => {
    const gone = { ...scope, account: 'gone' }
    expect(await refusal(mint(gone))).toEqual({
      ...rejected('installation_unknown'),
      effect: 'none',
    })
  })

  test('a host whose clock is far behind', async () => {
    world.clock.advance(3600)
    expect(await refusal(mint())).toEqual({ ...rejected('app_not_accepted'), effect: 'none' })
  })
})

describe('R69 revoking and asking for proof', () => {
  const revoke = ({ handle }: Minted) => world.provider.revoke(handle, soon(), world.clock.now())
  const ask = ({ handle }: Minted) => {
    const now = world.clock.now()
    return world.provider.verifyDead(handle, { leaseId: 'lea_1', sentAt: now, now }, soon())
  }
  const cases: [string, GithubFault, Record<string, unknown>][] = [
    ['429', { kind: 'status', status: 429, retryAfterSeconds: 5 }, throttled(5)],
    ['403 with retry-after', { kind: 'status', status: 403, retryAfterSeconds: 8 }, throttled(8)],
    ['404', { kind: 'status', status: 404, message: CANARY }, rejected('request_refused')],
    ['500', { kind: 'status', status: 500, message: CANARY }, unavailable('github_failed')],
    ['a redirect', { kind: 'status', status: 302 }, unavailable('answer_unreadable')],
    ['a dropped connection', { kind: 'dropped' }, unavailable('connection_lost')],
    ['no answer in time', { kind: 'hang' }, unavailable('timeout')],
  ]

  test.each(cases)('%s to a revocation is never a success', async (_name, what, expected) => {
    const minted = await mint()
    fault(what, 'revoke')
    expect(await refusal(revoke(minted))).toEqual(expected)
  })

  test.each(cases)('%s to a probe is never proof', async (_name, what, expected) => {
    const minted = await mint()
    fault(what, 'probe')
    expect(await refusal(ask(minted))).toEqual(expected)
  })

  test('R67 a suspended installation proves nothing: its tokens work again', async () => {
    const minted = await mint()
    fault({ kind: 'status', status: 403, message: CANARY }, 'revoke')
    expect(await refusal(revoke(minted))).toEqual({
      ...unavailable('installation_suspended'),
      after: 60,
    })
    fault({ kind: 'status', status: 403, message: CANARY }, 'probe')
    const death = await ask(minted)
    expect(death).toEqual({
      dead: false,
      reason: expect.stringContaining('says nothing about the token'),
      retryAt: new Date(world.clock.now().getTime() + 60_000),
    })
    expect(inspect(death)).not.toContain(CANARY)
  })
})

test('errors carry neither the token nor the App JWT, however deep one looks', async () => {
  const minted = await mint()
  const { token } = minted.credential
  const secret = token instanceof Secret ? token.reveal() : ''
  const errors: unknown[] = []
  for (const what of [
    { kind: 'status', status: 401, message: secret },
    { kind: 'status', status: 500, message: secret },
    { kind: 'dropped' },
  ] satisfies GithubFault[]) {
    fault(what, 'mint')
    errors.push(await mint().catch((error: unknown) => error))
    fault(what.kind === 'status' ? { ...what, status: 500 } : what, 'revoke')
    errors.push(
      await world.provider
        .revoke(minted.handle, soon(), new Date())
        .catch((error: unknown) => error),
    )
  }
  expect(errors).toHaveLength(6)
  expectNoSecrets(errors, [secret, minted.handle.reveal(), 'Bearer', 'eyJ', 'authorization'])
})

async function seen(method: string): Promise<void> {
  const deadline = Date.now() + 5_000
  while (!world.github.requests().some((one) => one.method === method)) {
    if (Date.now() > deadline) throw new Error(`the stand-in has seen no ${method}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
