import { type Freeze, type FreezeStore, type NewId, type OperatorRole } from '@mayfly/core'
import {
  createFreezeRequest,
  freezeListQuery,
  reasonRequest,
  type FreezeBody,
} from '@mayfly/protocol'
import { Router } from 'express'

import type { Authenticate } from './authenticate.ts'
import { instantOrNull } from './instant-or-null.ts'
import { operatorName } from './operator-name.ts'
import { parseIncidentRequest, required } from './parse-incident-request.ts'
import { parseRequest } from './parse-request.ts'
import { routed } from './routed.ts'
import { selectorOf } from './selector-of.ts'

export interface FreezeRoutesDeps {
  readonly freezes: FreezeStore
  readonly newId: NewId
}

/** Who may look at incidents without handling them. */
export const MAY_READ_INCIDENTS: readonly OperatorRole[] = ['responder', 'platform', 'auditor']

export function freezeRoutes(deps: FreezeRoutesDeps, authenticate: Authenticate): Router {
  const router = Router()
  const mayAct = authenticate.operator(['responder'])
  const mayRead = authenticate.operator(MAY_READ_INCIDENTS)

  router.post('/v1/freezes', routed, mayAct, async (req, res) => {
    const body = parseIncidentRequest(createFreezeRequest, req.body)
    const freeze = await deps.freezes.create({
      id: deps.newId('frz'),
      selector: selectorOf(body.selector),
      reason: required(body.reason, 'reason_required'),
      createdBy: operatorName(res),
      expiresAt: body.expiresAt === undefined ? null : new Date(body.expiresAt),
    })
    res.status(201).json({ freeze: freezeBody(freeze) })
  })

  router.get('/v1/freezes', routed, mayRead, async (req, res) => {
    const freezes = await deps.freezes.list(parseRequest(freezeListQuery, req.query))
    res.json({ freezes: freezes.map(freezeBody) })
  })

  router.post('/v1/freezes/:freezeId/lift', routed, mayAct, async (req, res) => {
    const { reason } = parseIncidentRequest(reasonRequest, req.body)
    const id = req.params['freezeId']
    const freeze = await deps.freezes.lift(typeof id === 'string' ? id : '', {
      by: operatorName(res),
      reason: required(reason, 'reason_required'),
    })
    res.json({ freeze: freezeBody(freeze) })
  })

  return router
}

function freezeBody(freeze: Freeze): FreezeBody {
  return {
    ...freeze,
    selector: { ...freeze.selector },
    createdAt: freeze.createdAt.toISOString(),
    expiresAt: instantOrNull(freeze.expiresAt),
    liftedAt: instantOrNull(freeze.liftedAt),
  }
}
