import type {
  AuditLog,
  ContainmentStore,
  DeniedSessions,
  FreezeStore,
  LeaseHistory,
  Report,
  SecurityEventStore,
  TaskStore,
  WebhookStates,
} from '@mayfly/core'

import { makeAuditLog } from './audit-log.ts'
import { makeContainmentStore } from './containment-store.ts'
import { openDatabase, type Database, type DatabaseOptions } from './database.ts'
import { makeDeniedSessions } from './denied-sessions.ts'
import { startDueSubscription, type DueSubscription } from './due-subscription.ts'
import { makeFreezeStore } from './freeze-store.ts'
import { makeLeaseHistory } from './lease-history.ts'
import { makeLeaseStore, type PostgresLeaseStore } from './lease-store.ts'
import { makeLevels, type Levels } from './levels.ts'
import { makePeekHandle, type PeekHandle } from './peek-handle.ts'
import { makePolicySetStore, type PolicySetStore } from './policy-set-store.ts'
import { makeSealer, type SealingKey } from './sealer.ts'
import { makeSigningKeyStore, type SigningKeyStore } from './signing-key-store.ts'
import { makeSecurityEventStore, pruneSecurityEvents } from './security-event-store.ts'
import { makeTaskStore } from './task-store.ts'
import { makeWebhookOutbox, type PostgresWebhookOutbox } from './webhook-outbox.ts'
import { makeWebhookStates } from './webhook-states.ts'

export interface StoreOptions extends DatabaseOptions {
  /** The first one seals, all of them open. */
  readonly sealingKeys: readonly SealingKey[]
  readonly report?: Report
}

/** Everything that is kept in PostgreSQL. */
export interface Store {
  readonly leases: Omit<PostgresLeaseStore, 'close'>
  readonly history: LeaseHistory
  readonly webhooks: PostgresWebhookOutbox
  readonly webhookStates: WebhookStates
  readonly securityEvents: SecurityEventStore
  readonly tasks: TaskStore
  readonly audit: AuditLog
  readonly policySets: PolicySetStore
  readonly signingKeys: SigningKeyStore
  readonly deniedSessions: DeniedSessions
  readonly freezes: FreezeStore
  readonly containments: ContainmentStore
  /** Calls `due` when many leases have become due at once. Misses are possible: sweep as well. */
  subscribeDue(due: () => void): DueSubscription
  readonly peekHandle: PeekHandle
  /** How things stand, for those who watch: two statements, bounded by what is not over. */
  levels(): Promise<Levels>
  /** Resolves when the database answers. */
  ping(): Promise<void>
  /** Forgets used tokens and idempotency keys that can no longer matter. */
  prune(): Promise<void>
  /** Stores what is still waiting to be stored, and lets go of every session. */
  close(): Promise<void>
}

/**
 * Opens a migrated database. Sessions are made when needed: at most `maxConnections`, and besides
 * them one per policy subscription and six for AWS roles.
 */
export function openStore(options: StoreOptions): Store {
  const { connectionString, sealingKeys, report = () => undefined } = options
  const sealer = makeSealer(sealingKeys)
  const database = openDatabase(options)
  const leases = makeLeaseStore(database, sealer, report)
  const deniedSessions = makeDeniedSessions(connectionString)
  let closing: Promise<void> | null = null

  async function close(): Promise<void> {
    await leases.close()
    await Promise.all([deniedSessions.close(), database.close()])
  }

  return {
    leases,
    history: makeLeaseHistory(database),
    webhooks: makeWebhookOutbox(database),
    webhookStates: makeWebhookStates(database),
    securityEvents: makeSecurityEventStore(database),
    tasks: makeTaskStore(database),
    audit: makeAuditLog(database),
    policySets: makePolicySetStore({ database, connectionString, report }),
    signingKeys: makeSigningKeyStore(database, sealer),
    deniedSessions,
    freezes: makeFreezeStore(database),
    containments: makeContainmentStore(database),
    subscribeDue: (due) => startDueSubscription(connectionString, due),
    peekHandle: makePeekHandle(database, sealer),
    levels: makeLevels(database),
    ping: () => ping(database),
    prune: () => prune(database),
    close: () => (closing ??= close()),
  }
}

async function ping(database: Database): Promise<void> {
  await database.rows({ text: 'SELECT 1' }, [])
}

async function prune(database: Database): Promise<void> {
  await database.rows(
    { text: `DELETE FROM token_uses WHERE expires_at < now() - interval '1 hour'` },
    [],
  )
  await database.rows(
    { text: `DELETE FROM idempotency_keys WHERE created_at < now() - interval '2 days'` },
    [],
  )
  await pruneSecurityEvents(database)
}
