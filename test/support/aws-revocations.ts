import type { Death, Minted, RevocationHandle } from '@mayfly/core'

import { SCOPE, type AwsFixture } from '../contract/aws-fixture.ts'

export const PROPAGATION_SECONDS = 5

export interface AwsRevocations {
  readonly after: (seconds: number) => Date
  readonly mint: (leaseId: string, ttlSeconds?: number) => Promise<Minted>
  /** The handle of a mint whose answer was lost. */
  readonly lost: (leaseId: string) => RevocationHandle
  readonly revoke: (handle: RevocationHandle) => Promise<void>
  readonly verify: (handle: RevocationHandle) => Promise<Death>
  /** Calls to IAM so far that were for `operation`, or for any. */
  readonly calls: (operation?: string) => readonly string[]
  /** Names of sessions that could still do something. */
  readonly live: () => readonly string[]
}

const soon = () => AbortSignal.timeout(20_000)
const NOT_IAM = /^(?:AssumeRole|s3:)/

/** What tests of AWS revocation do again and again, on the clock of the fixture. */
export function revocationsOf(fixture: () => AwsFixture): AwsRevocations {
  const after = (seconds: number) => new Date(fixture().clock.now().getTime() + seconds * 1000)
  return {
    after,
    async mint(leaseId, ttlSeconds = 900) {
      fixture().denials.open(leaseId, { sealedAt: after(ttlSeconds) })
      return fixture()
        .provider.prepare(SCOPE)
        .mint(
          {
            leaseId,
            taskId: 'tsk_1',
            agent: 'claude-payments',
            owner: 'ada@acme.example',
            template: 'artifact-upload',
            ttlSeconds,
            expiresAt: after(ttlSeconds),
          },
          soon(),
        )
    },
    lost(leaseId) {
      const handle = fixture().provider.prepare(SCOPE).handleBeforeMint(leaseId)
      if (!handle) throw new Error('AWS always has a handle before the mint')
      return handle
    },
    revoke: (handle) => fixture().provider.revoke(handle, soon(), fixture().clock.now()),
    verify(handle) {
      const now = fixture().clock.now()
      // The provider must not believe this instant: it is when revoke first resolved, not when it last wrote.
      const sent = { leaseId: 'lea_1', sentAt: new Date(0), now }
      return fixture().provider.verifyDead(handle, sent, soon())
    },
    calls: (operation) =>
      fixture()
        .aws.requests()
        .filter((name) => !NOT_IAM.test(name) && (operation === undefined || name === operation)),
    live: () =>
      fixture()
        .aws.live()
        .map(({ sessionName }) => sessionName),
  }
}
