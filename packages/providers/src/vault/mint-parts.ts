import type { Clock } from '@mayfly/core'

import type { VaultApi } from './api.ts'
import type { VaultSession } from './session.ts'
import type { VaultSettings } from './settings.ts'

export interface MintParts {
  readonly api: VaultApi
  readonly session: VaultSession
  readonly settings: VaultSettings
  readonly clock: Clock
}
