import type { AuditLog, Report } from '@mayfly/core'
import { refusalOf } from '@mayfly/identity'

import type { AuthenticateDeps } from './http/authenticate.ts'

/**
 * Records tokens that were presented and refused (R106). The refusal does not wait for it: with the
 * database down, refusing must not become slow.
 */
export function makeRefusals(
  audit: Pick<AuditLog, 'record'>,
  report: Report,
): AuthenticateDeps['refused'] {
  return (error, requestId) => {
    const reason = refusalOf(error)?.reason ?? null
    audit
      .record({ type: 'authentication.refused', data: { code: error.code, reason, requestId } })
      .catch((failure: unknown) => {
        report('a refused token could not be recorded', failure, { requestId })
      })
  }
}
