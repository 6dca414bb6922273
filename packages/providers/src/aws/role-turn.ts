import type { DeniedSessions, RoleDenials, RoleSessions } from '@mayfly/core'

import type { DenyPolicies } from './deny-policies.ts'
import type { AwsSession } from './handle.ts'
import type { AwsSettings } from './settings.ts'

export interface AwsRevokeDeps {
  readonly policies: DenyPolicies
  readonly deniedSessions: DeniedSessions
  readonly settings: AwsSettings
}

/** A turn at one role's policies: who it is for, what the books say, how long it may take. */
export interface RoleTurn extends RoleSessions {
  readonly session: AwsSession
  readonly denials: RoleDenials
  readonly signal: AbortSignal
}
