export type * from './decision.ts'
export { MayflyError, type ErrorCode, type MayflyErrorOptions } from './errors.ts'
export { subjectOf, type Operator, type VerifiedToken, type Workload } from './identity.ts'
export type * from './json.ts'
export {
  assertTransition,
  isTerminal,
  LEASE_TRANSITIONS,
  mayBeLive,
  statesBefore,
  type EndReason,
  type Irrevocable,
  type Lease,
  type LeaseState,
} from './lease.ts'
export type * from './policy-set.ts'
export type * from './ports.ts'
export {
  MintError,
  UnacceptableMintError,
  type Credential,
  type CredentialProvider,
  type Death,
  type Minted,
  type MintRequest,
  type Prepared,
  type ProviderName,
  type RevocationHandle,
  type RevocationSent,
} from './provider.ts'
export type * from './resources.ts'
export { Secret } from './secret.ts'
export type * from './task.ts'
export type * from './template.ts'
