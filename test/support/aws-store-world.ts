import {
  makeEndLease,
  makeRevokeLease,
  type Clock,
  type EndLease,
  type Json,
  type Lease,
  type RevokeLease,
} from '@mayfly/core'
import { makeAwsProvider, parseAwsSettings } from '@mayfly/providers'
import { startAwsStandin, type AwsStandin, type AwsStandinOptions } from '@mayfly/standins'
import type { Store } from '@mayfly/store'

import { resolveSecret, SCOPE, settingsFor, standinOptions } from '../contract/aws-fixture.ts'
import { activationOf, freshId, leaseIntent, openTask } from './lease-fixtures.ts'
import { startStoreWorld, type StoreWorld } from './store-world.ts'

const clock: Clock = { now: () => new Date() }
const soon = () => AbortSignal.timeout(60_000)

/** One process: everything that revokes, on a store of its own. */
export interface Revoker {
  readonly revoke: RevokeLease
  readonly end: EndLease
}

export interface AwsStoreWorld {
  readonly db: StoreWorld
  readonly aws: AwsStandin
  /** An active lease whose session works. */
  lease(ttlSeconds?: number): Promise<Lease>
  revoker(store?: Store): Revoker
  /** How often the deny policies were written. */
  writes(): number
  close(): Promise<void>
}

/** The store, the use cases and the AWS adapter, in front of a stand-in on the real clock. */
export async function startAwsStoreWorld(
  more: { settings?: Record<string, Json>; standin?: Partial<AwsStandinOptions> } = {},
): Promise<AwsStoreWorld> {
  const db = await startStoreWorld()
  const aws = await startAwsStandin({ ...standinOptions(), ...more.standin })
  const settings = parseAwsSettings(
    settingsFor(aws.url, { propagationSeconds: 1, ...more.settings }),
  )
  const providerOver = ({ deniedSessions }: Store) =>
    makeAwsProvider({ settings, resolveSecret, deniedSessions, clock, timeoutMs: 10_000 })
  const { leases, tasks } = db.store
  const prepared = providerOver(db.store).prepare(SCOPE)
  const task = await openTask(tasks)

  return {
    db,
    aws,
    async lease(ttlSeconds = 900) {
      const leaseId = freshId('lea')
      const intent = leaseIntent(task, {
        leaseId,
        provider: 'aws',
        connection: 'aws-acme',
        targets: prepared.targets,
        lifetimeSeconds: prepared.lifetimeSeconds(ttlSeconds),
        handle: prepared.handleBeforeMint(leaseId),
      })
      const lease = await leases.open({ ...intent, decision: { ...intent.decision, ttlSeconds } })
      const { expiresAt, agent, owner, template } = lease
      const minted = await prepared.mint(
        { leaseId, taskId: task.id, agent, owner, template, ttlSeconds, expiresAt },
        soon(),
      )
      const { credentialExpiresAt, handle } = minted
      await leases.activate(activationOf(lease, { credentialExpiresAt, handle }))
      return lease
    },
    revoker(store = db.store) {
      const provider = providerOver(store)
      const revoke = makeRevokeLease({
        leases: store.leases,
        providers: { get: () => Promise.resolve(provider) },
        clock,
        retry: { baseSeconds: 1, capSeconds: 1, random: () => 0.5 },
        visibilitySeconds: 60,
      })
      const end = makeEndLease({
        leases: store.leases,
        queue: { schedule: () => Promise.resolve() },
        revoke,
        report: () => undefined,
      })
      return { revoke, end }
    },
    writes: () => aws.requests().filter((name) => name === 'PutRolePolicy').length,
    async close() {
      await Promise.all([aws.stop(), db.close()])
    },
  }
}
