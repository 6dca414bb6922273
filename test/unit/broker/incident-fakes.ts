import {
  MayflyError,
  normaliseSelector,
  type Containment,
  type Freeze,
  type SecurityEvent,
  type Selector,
} from '@mayfly/core'
import type { AppDeps } from '@mayfly/broker'

import { eventIssuer } from '../../support/event-issuer.ts'

const noon = new Date('2026-11-23T12:00:00Z')

export const freeze: Freeze = {
  id: 'frz_1',
  selector: { agent: 'codex' },
  reason: 'r',
  createdBy: 'people#dana',
  createdAt: noon,
  expiresAt: null,
  liftedAt: null,
  liftedBy: null,
  liftReason: null,
  inForce: true,
  containmentId: null,
}

export const securityEvent: SecurityEvent = {
  issuer: eventIssuer,
  jti: 'j1',
  occurrence: { event: 'session-revoked' },
  subject: { format: 'email', email: 'dana@acme.example' },
  occurredAt: noon,
  acceptableUntil: new Date('2026-11-23T12:10:00Z'),
}

const counts = {
  ...{ queued: 0, propagating: 0, failed: 0, irrevocable: 0 },
  ...{ revoked: 2, expired: 0, never_minted: 0, spared: 0 },
}

export const containment: Containment = {
  id: 'cnt_1',
  selector: { agent: 'codex' },
  reason: 'r',
  incident: 'INC-1',
  startedBy: 'people#dana',
  startedAt: noon,
  freezeId: 'frz_1',
  frozen: true,
  state: 'finished',
  counts,
  total: 2,
  finishedAt: noon,
  lastDiesAt: null,
  cancelledAt: null,
  cancelledBy: null,
  cancelReason: null,
}

/** Freezes and containments that note what they are asked, and behave at the edges. */
export function makeIncidentFakes(
  note: (line: string) => void,
): Pick<
  AppDeps,
  'contain' | 'previewContainment' | 'containments' | 'freezes' | 'newId' | 'closing'
> {
  const shown = (selector: Selector): string => JSON.stringify(normaliseSelector(selector))
  const known = new Set(['cnt_1', 'cnt_2'])
  return {
    newId: (prefix) => `${prefix}_1`,
    closing: new AbortController(),
    contain: ({ selector, incident, by }) => {
      note(`contain ${shown(selector)} for ${incident} by ${by}`)
      return Promise.resolve({ containment, started: true })
    },
    previewContainment: (selector) => {
      note(`preview ${shown(selector)}`)
      const none = { byProvider: {}, byAgent: {}, byState: {}, leases: [], sideEffects: [] }
      const preview = { ...none, selector, total: 0, truncated: false, irrevocable: [] }
      return Promise.resolve(preview)
    },
    containments: {
      find: (id) =>
        Promise.resolve(
          known.has(id)
            ? { ...containment, id, ...(id === 'cnt_2' && { state: 'revoking' as const }) }
            : null,
        ),
      list: () => Promise.resolve([containment]),
      leases: () => Promise.resolve([]),
      cancel: (id, { by, reason }) => {
        if (id === 'cnt_1') return Promise.reject(new MayflyError('containment_finished', 'dead'))
        if (!known.has(id)) return Promise.reject(new MayflyError('containment_unknown', 'none'))
        note(`cancel ${id} by ${by}: ${reason}`)
        return Promise.resolve()
      },
    },
    freezes: {
      create: (asked) => {
        note(`freeze ${shown(asked.selector)} by ${asked.createdBy}`)
        return Promise.resolve({ ...freeze, ...asked })
      },
      list: () => Promise.resolve([freeze]),
      lift: (id, { by, reason }) => {
        note(`lift ${id} by ${by}: ${reason}`)
        return Promise.resolve({ ...freeze, inForce: false })
      },
    },
  }
}
