import { describe, expect, test } from '@jest/globals'
import { MayflyError, MintError, UnacceptableMintError, type Denied } from '@mayfly/core'

import {
  ALLOWED,
  makeWorld,
  MINT_DEADLINE_SECONDS,
  mintedOf,
  NOON,
  REQUEST,
  TASK,
} from './world.ts'

const here = new AbortController().signal
const input = { task: TASK, request: REQUEST, idempotency: null }

/** Runs the use case and returns what it threw. */
async function refusal(run: Promise<unknown>): Promise<MayflyError> {
  const error: unknown = await run.then(
    () => new Error('nothing was refused'),
    (thrown: unknown) => thrown,
  )
  if (error instanceof MayflyError) return error
  throw error
}

describe('issuing a lease', () => {
  test('G1 the intent is stored and its undoing scheduled before the provider is called', async () => {
    const world = makeWorld()
    const { lease, credential } = await world.issue(input, here)

    expect(world.diary).toEqual(['schedule 2026-11-23T12:10:00.000Z', 'mint'])
    expect(lease.state).toBe('active')
    expect(Object.keys(credential)).toEqual(['token'])
    expect(world.leases.rows.get('lea_1')?.dueAt).toEqual(new Date(NOON.getTime() + 30_000))
  })

  test('a denial is recorded and nothing is minted', async () => {
    const { id, taskId, template, templateVersion, policySetVersion, policyDigest } = ALLOWED
    const decided = { id, taskId, template, templateVersion, policySetVersion, policyDigest }
    const explanation = {
      code: 'denied',
      message: 'no',
      rule: 'quarantine',
      nearest: null,
    } as const
    const denied: Denied = {
      ...decided,
      actions: ['repo.read'],
      parameters: {},
      allowed: false,
      explanation,
    }
    const world = makeWorld({ decision: denied })

    const error = await refusal(world.issue(input, here))
    expect({ code: error.code, details: error.details }).toEqual({
      code: 'denied',
      details: { explanation },
    })
    expect(world.diary).toEqual(['refuse'])
    expect(world.leases.rows.size).toBe(0)
  })

  test('a provider that refuses ends the lease as failed', async () => {
    const world = makeWorld()
    world.failMint(() => new MintError('none', 'provider_rejected', 'no'))

    expect((await refusal(world.issue(input, here))).code).toBe('provider_rejected')
    expect((await world.leases.find('lea_1'))?.state).toBe('failed')
  })

  test('R89 a mint whose answer was lost is revoked by the handle chosen before it', async () => {
    const world = makeWorld()
    world.failMint(
      () => new MintError('unknown', 'provider_unavailable', 'no answer', { retryable: true }),
    )

    await refusal(world.issue(input, here))
    expect(world.live.size).toBe(1)
    expect(await world.revoke('lea_1', here)).toEqual({
      outcome: 'not_due',
      at: new Date(NOON.getTime() + MINT_DEADLINE_SECONDS * 1000),
    })

    world.advance(MINT_DEADLINE_SECONDS)
    expect(await world.revoke('lea_1', here)).toEqual({ outcome: 'revoked' })
    expect(world.live.size).toBe(0)
    expect((await world.leases.find('lea_1'))?.endReason).toBe('mint_unconfirmed')
  })

  test('G2 a lost mint with no handle is irrevocable until it dies, never revoked', async () => {
    const world = makeWorld({ knowsHandle: false })
    world.failMint(() => new MintError('unknown', 'provider_unavailable', 'no answer'))
    await refusal(world.issue(input, here))
    world.advance(MINT_DEADLINE_SECONDS)

    const diesAt = new Date(NOON.getTime() + 3_600_000)
    expect(await world.revoke('lea_1', here)).toMatchObject({ outcome: 'retry', at: diesAt })
    const lease = await world.leases.find('lea_1')
    expect(lease?.state).toBe('revocation_failed')
    expect(lease?.irrevocable?.diesAt).toEqual(diesAt)

    world.advance(3_600 + 61)
    expect(await world.revoke('lea_1', here)).toEqual({ outcome: 'nothing_to_do' })
    expect((await world.leases.find('lea_1'))?.state).toBe('expired')
  })

  test('G7 R65 a credential wider than asked is revoked and never handed out', async () => {
    const world = makeWorld()
    world.failMint(
      (leaseId) =>
        new UnacceptableMintError(mintedOf(`token-of-${leaseId}`, NOON), 'wider than asked'),
    )

    expect((await refusal(world.issue(input, here))).code).toBe('provider_overbroad')
    expect(world.live.size).toBe(0)
    const lease = await world.leases.find('lea_1')
    expect([lease?.state, lease?.endReason]).toEqual(['revoked', 'overbroad'])
  })

  test('a task closed during the mint gets nothing, and the credential dies at once', async () => {
    const world = makeWorld()
    world.duringMint(() => world.leases.end('lea_1', 'task_closed'))

    expect((await refusal(world.issue(input, here))).code).toBe('lease_transition_illegal')
    expect(world.live.size).toBe(0)
    const lease = await world.leases.find('lea_1')
    expect([lease?.state, lease?.endReason]).toEqual(['revoked', 'task_closed'])
  })

  test('a lease called dead while its minter slept: the late credential is killed directly', async () => {
    const world = makeWorld()
    world.duringMint(async () => {
      world.advance(MINT_DEADLINE_SECONDS + 1)
      expect(await world.revoke('lea_1', here)).toEqual({ outcome: 'revoked' })
    })

    expect((await refusal(world.issue(input, here))).code).toBe('lease_transition_illegal')
    expect(world.diary.slice(-3)).toEqual(['mint', 'revoke', 'revoke'])
    expect(world.live.size).toBe(0)
  })

  test('a broker that slept between the commit and the mint does not mint', async () => {
    const world = makeWorld()
    const { issue } = world.useCasesOver({
      ...world.leases,
      open: async (intent) => {
        const lease = await world.leases.open(intent)
        world.advance(MINT_DEADLINE_SECONDS)
        return lease
      },
    })
    expect((await refusal(issue(input, here))).code).toBe('database_unavailable')
    expect(world.diary).not.toContain('mint')
  })

  test('a caller that left before the mint costs the provider nothing', async () => {
    const world = makeWorld()
    expect((await refusal(world.issue(input, AbortSignal.abort()))).code).toBe('invalid_request')
    expect(world.diary).not.toContain('mint')
    expect((await world.leases.find('lea_1'))?.state).toBe('failed')
  })

  test('R92 a credential that reaches what was frozen meanwhile is killed, and says why', async () => {
    const world = makeWorld()
    const { issue } = world.useCasesOver({
      ...world.leases,
      activate: () => Promise.reject(new MayflyError('frozen', 'issuing is frozen')),
    })
    expect((await refusal(issue(input, here))).code).toBe('frozen')
    expect(world.live).toEqual(new Set())
    const lease = await world.leases.find('lea_1')
    expect([lease?.state, lease?.endReason]).toEqual(['revoked', 'frozen'])
  })

  test('a queue that is down does not stop a mint', async () => {
    const world = makeWorld()
    world.failQueue(new Error('queue down'))
    await expect(world.issue(input, here)).resolves.toMatchObject({ lease: { state: 'active' } })
    expect(world.reports).toEqual(['revocation not scheduled; the sweeper will find it'])
  })
})

describe('G1 a store that dies at any step leaves nothing live and unknown', () => {
  const steps = ['open', 'activate', 'surrender', 'fail', 'end'] as const

  test.each(steps)('dying at %s', async (step) => {
    const world = makeWorld()
    const down = () =>
      Promise.reject(new MayflyError('database_unavailable', 'down', { retryable: true }))
    const { issue } = world.useCasesOver({
      ...world.leases,
      [step]: down,
      // What needs `surrender` is an activation that failed.
      ...(step === 'surrender' ? { activate: down } : {}),
    })
    if (step === 'fail') world.failMint(() => new MintError('none', 'provider_rejected', 'no'))
    if (step === 'end') world.failMint(() => new MintError('unknown', 'provider_unavailable', '?'))

    await refusal(issue(input, here))

    world.advance(MINT_DEADLINE_SECONDS)
    for (const leaseId of await world.leases.due(10)) await world.revoke(leaseId, here)
    expect(world.live).toEqual(new Set())
  })
})
