export { applyMigrations } from './migrations.ts'
export type { DatabaseOptions } from './database.ts'
export type { Overdue } from './lease-queries.ts'
export type { LeaseLevels, Levels } from './levels.ts'
export type { StoredPolicySet } from './policy-set-row.ts'
export type { PolicySetApplication, PolicySetStore } from './policy-set-store.ts'
export type { PolicySubscription } from './policy-subscription.ts'
export {
  makeSealer,
  parseSealingKeys,
  type Sealed,
  type Sealer,
  type SealingKey,
} from './sealer.ts'
export type { SigningKeyStore, StoredSigningKey } from './signing-key-store.ts'
export { openStore, type Store, type StoreOptions } from './store.ts'
