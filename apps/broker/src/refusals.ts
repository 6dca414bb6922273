import type { AuditLog, Report } from '@mayfly/core'
import { refusalOf } from '@mayfly/identity'

import type { AuthenticateDeps } from './http/authenticate.ts'
import type { BrokerMetrics } from './metrics.ts'

/**
 * Records tokens that were presented and refused (R106). The refusal does not wait for it: with the
 * database down, refusing must not become slow.
 */
export function makeRefusals(
  audit: Pick<AuditLog, 'record'>,
  metrics: Pick<BrokerMetrics, 'refusedToken' | 'lostAudit'>,
  report: Report,
): AuthenticateDeps['refused'] {
  return (error, requestId) => {
    const reason = refusalOf(error)?.reason ?? null
    metrics.refusedToken({ reason: reason ?? error.code })
    audit
      .record({ type: 'authentication.refused', data: { code: error.code, reason, requestId } })
      .catch((failure: unknown) => {
        metrics.lostAudit({ event: 'authentication.refused' })
        report('a refused token could not be recorded', failure, { requestId })
      })
  }
}
