import { inspect } from 'node:util'

import {
  MayflyError,
  MintError,
  Secret,
  type Credential,
  type CredentialProvider,
  type Json,
  type Minted,
  type MintRequest,
  type RevocationHandle,
} from '@mayfly/core'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

/** One provider in front of one system, made anew for every test. */
export interface ProviderFixture {
  readonly provider: CredentialProvider
  /** A rendered scope that the system accepts. */
  readonly scope: Json
  readonly malformedScopes: readonly Json[]
  /** Root credentials of the provider (or tell-tale parts of them): no error may contain one. */
  readonly secrets: readonly string[]
  /** The provider's and the system's time. Against a real system `advance` really waits. */
  readonly clock: { now(): Date; advance(seconds: number): Promise<void> | void }
  /** Asks the system itself whether the credential can do what the scope allows. */
  works(credential: Credential): Promise<boolean>
  /** True when the system refuses the credential an action or resource outside the scope. */
  forbidden(credential: Credential): Promise<boolean>
  readonly mintRequest?: (overrides: Partial<MintRequest>) => MintRequest
  /** Called before each revocation, where the store would by now know the lease as ending. */
  readonly ending?: (leaseId: string) => void
  /** How many requests the system has had. Stand-ins only. */
  readonly requests?: () => number
  /** How many of the credentials that it ever minted still work. Stand-ins only. */
  readonly live?: () => Promise<number> | number
  /** The system carries out the next request, then drops the connection. Stand-ins only. */
  readonly loseNextAnswer?: () => Promise<void> | void
  /** Stops the system; its port refuses connections from then on. */
  stop(): Promise<void>
}

const soon = (): AbortSignal => AbortSignal.timeout(10_000)

/**
 * What every provider promises. A new provider is done when this passes against its stand-in
 * (`standin`, with faults) and, where one is at hand, against the real thing (`real`, without).
 */
export function describeProvider(
  name: string,
  open: () => Promise<ProviderFixture>,
  against: 'standin' | 'real' = 'standin',
): void {
  describe(`${name} keeps the provider contract`, () => {
    let fixture: ProviderFixture
    let stopped: boolean

    beforeEach(async () => {
      fixture = await open()
      stopped = false
    })
    afterEach(stop)

    async function stop(): Promise<void> {
      if (stopped) return
      stopped = true
      await fixture.stop()
    }

    function mint(leaseId = 'lea_1', signal = soon()): Promise<Minted> {
      return fixture.provider.prepare(fixture.scope).mint(request(fixture, leaseId), signal)
    }

    test('a malformed scope is refused with scope_invalid before anything is sent', () => {
      const before = fixture.requests?.()
      expect(fixture.malformedScopes.length).toBeGreaterThan(0)
      for (const scope of [...fixture.malformedScopes, null, [], 'all', { no: 'such scope' }]) {
        expect({ scope, code: codeOf(() => fixture.provider.prepare(scope)) }).toEqual({
          scope,
          code: 'scope_invalid',
        })
      }
      expect(fixture.requests?.()).toBe(before)
    })

    test('targets say what the credential can reach, in one spelling', () => {
      const { targets } = fixture.provider.prepare(fixture.scope)
      expect(targets.length).toBeGreaterThan(0)
      expect(new Set(targets).size).toBe(targets.length)
      for (const target of targets)
        expect(target).toMatch(new RegExp(`^${fixture.provider.name}:[a-z-]+:\\S+$`))
    })

    test('a credential works within its scope, is refused outside it, and dies when revoked', async () => {
      const { credential, handle } = await mint()
      expect(secretsOf(credential).length).toBeGreaterThan(0)
      expect(await fixture.works(credential)).toBe(true)
      expect(await fixture.forbidden(credential)).toBe(true)

      expect(await revokeUntilDead(fixture, handle)).toEqual({
        dead: true,
        proof: expect.stringMatching(/\S/),
      })
      expect(await fixture.works(credential)).toBe(false)
      fixture.ending?.('lea_1')
      await expect(
        fixture.provider.revoke(handle, soon(), fixture.clock.now()),
      ).resolves.toBeUndefined()
    })

    test('a credential that still works is never called dead', async () => {
      const { handle } = await mint()
      const now = fixture.clock.now()
      const death = await fixture.provider.verifyDead(
        handle,
        { leaseId: 'lea_1', sentAt: now, now },
        soon(),
      )
      expect(death).toEqual({
        dead: false,
        reason: expect.stringMatching(/\S/),
        retryAt: expect.any(Date),
      })
      if (!death.dead) expect(death.retryAt > now).toBe(true)
    })

    test('R63 two identical requests at once give two credentials, and revoking one leaves the other', async () => {
      const [one, two] = await Promise.all([mint('lea_1'), mint('lea_2')])
      const first = secretsOf(one.credential)
      expect(secretsOf(two.credential).filter((secret) => first.includes(secret))).toEqual([])

      await revokeUntilDead(fixture, one.handle, 'lea_1')
      expect(await fixture.works(one.credential)).toBe(false)
      expect(await fixture.works(two.credential)).toBe(true)
      await revokeUntilDead(fixture, two.handle, 'lea_2')
      expect(await fixture.works(two.credential)).toBe(false)
    })

    test('the credential dies by itself no later than was promised before the mint', async () => {
      const prepared = fixture.provider.prepare(fixture.scope)
      const wanted = request(fixture, 'lea_1')
      const before = fixture.clock.now().getTime()
      const { credentialExpiresAt, handle } = await prepared.mint(wanted, soon())
      expect(credentialExpiresAt.getTime()).toBeGreaterThan(before)
      expect(credentialExpiresAt.getTime()).toBeLessThanOrEqual(
        fixture.clock.now().getTime() + prepared.lifetimeSeconds(wanted.ttlSeconds) * 1000,
      )
      await revokeUntilDead(fixture, handle)
    })

    test('a handle that is not of its own making is an error, never a success', async () => {
      const bad = new Secret('no such handle')
      const now = fixture.clock.now()
      await expect(fixture.provider.revoke(bad, soon(), fixture.clock.now())).rejects.toThrow()
      await expect(
        fixture.provider.verifyDead(bad, { leaseId: 'lea_1', sentAt: now, now }, soon()),
      ).rejects.toThrow()
    })

    test('an aborted request fails and leaves nothing behind', async () => {
      const error = await failure(mint('lea_1', AbortSignal.abort()))
      expect(error).toBeInstanceOf(MintError)
      if (against === 'standin') expect(await offered(fixture, 'live')()).toBe(0)
    })

    test('a refused connection means that nothing was minted, and says nothing secret', async () => {
      const { credential, handle } = await mint()
      const secrets = [...secretsOf(credential), handle.reveal(), ...fixture.secrets]
      const now = fixture.clock.now()
      await stop()

      const errors = [
        await failure(mint('lea_2')),
        await failure(fixture.provider.revoke(handle, soon(), fixture.clock.now())),
        await failure(
          fixture.provider.verifyDead(handle, { leaseId: 'lea_1', sentAt: now, now }, soon()),
        ),
      ]
      expect(errors.map(describeError)).toEqual([
        { code: 'provider_unavailable', retryable: true, effect: 'none' },
        { code: 'provider_unavailable', retryable: true },
        { code: 'provider_unavailable', retryable: true },
      ])
      expectNoSecrets(errors, secrets)
    })

    test('neither a credential nor its handle prints itself', async () => {
      const minted = await mint()
      expectNoSecrets([minted], [...secretsOf(minted.credential), minted.handle.reveal()])
      await revokeUntilDead(fixture, minted.handle)
    })

    if (against === 'real') return

    test('revoking a credential that died by itself resolves, and it is called dead', async () => {
      const { credential, credentialExpiresAt, handle } = await mint()
      const left = credentialExpiresAt.getTime() - fixture.clock.now().getTime()
      await fixture.clock.advance(left / 1000 + 1)
      expect(await fixture.works(credential)).toBe(false)
      expect(await revokeUntilDead(fixture, handle)).toMatchObject({ dead: true })
    })

    test('an answer lost after the mint has an unknown effect, which the handle chosen before or the clock ends', async () => {
      await offered(fixture, 'loseNextAnswer')()
      const error = await failure(mint())
      expect(describeError(error)).toEqual({
        code: 'provider_unavailable',
        retryable: true,
        effect: 'unknown',
      })
      expectNoSecrets([error], fixture.secrets)
      expect(await offered(fixture, 'live')()).toBe(1)

      const prepared = fixture.provider.prepare(fixture.scope)
      const handle = prepared.handleBeforeMint('lea_1')
      if (handle) await revokeUntilDead(fixture, handle)
      else await fixture.clock.advance(prepared.lifetimeSeconds(900))
      expect(await offered(fixture, 'live')()).toBe(0)
    })
  })
}

/** Revokes, then asks for proof as often and as late as the provider says. */
async function revokeUntilDead(
  { provider, clock, ending }: ProviderFixture,
  handle: RevocationHandle,
  leaseId = 'lea_1',
): Promise<{ readonly dead: true; readonly proof: string }> {
  ending?.(leaseId)
  await provider.revoke(handle, soon(), clock.now())
  const sentAt = clock.now()
  for (let asked = 0; asked < 50; asked++) {
    const now = clock.now()
    const death = await provider.verifyDead(handle, { leaseId, sentAt, now }, soon())
    if (death.dead) return death
    await clock.advance(Math.max(0.05, (death.retryAt.getTime() - now.getTime()) / 1000))
  }
  throw new Error('asked 50 times and it is still not dead')
}

function request(fixture: ProviderFixture, leaseId: string): MintRequest {
  if (fixture.mintRequest) return fixture.mintRequest({ leaseId })
  return {
    leaseId,
    taskId: 'tsk_1',
    agent: 'claude-payments',
    owner: 'ada@acme.example',
    template: 'contract-suite',
    ttlSeconds: 900,
    expiresAt: new Date(fixture.clock.now().getTime() + 900_000),
  }
}

/** A function that fixtures of stand-ins have to offer. */
function offered<Key extends 'live' | 'loseNextAnswer'>(
  fixture: ProviderFixture,
  key: Key,
): NonNullable<ProviderFixture[Key]> {
  const value = fixture[key]
  if (!value) throw new TypeError(`the fixture of a stand-in needs ${key}()`)
  return value
}

function secretsOf(credential: Credential): string[] {
  return Object.values(credential).flatMap((part) =>
    part instanceof Secret ? [part.reveal()] : [],
  )
}

function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return error instanceof MayflyError ? error.code : String(error)
  }
  return 'nothing thrown'
}

function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => new Error('it should have failed'),
    (error: unknown) => error,
  )
}

function describeError(error: unknown): unknown {
  if (!(error instanceof MayflyError)) return error
  const { code, retryable } = error
  return error instanceof MintError
    ? { code, retryable, effect: error.effect }
    : { code, retryable }
}

/** Looks through everything that a logger could reach: message, stack, details and the whole chain of causes. */
export function expectNoSecrets(things: readonly unknown[], secrets: readonly string[]): void {
  const text = things
    .map((thing) => `${inspect(thing, { depth: null, showHidden: true })}${JSON.stringify(thing)}`)
    .join('\n')
  for (const secret of secrets) expect(text.includes(secret)).toBe(false)
}
