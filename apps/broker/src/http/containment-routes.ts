import {
  MayflyError,
  type Contain,
  type Containment,
  type ContainmentStore,
  type PreviewContainment,
} from '@mayfly/core'
import {
  containmentListQuery,
  containmentQuery,
  containRequest,
  reasonRequest,
} from '@mayfly/protocol'
import { Router, type Request } from 'express'

import type { Authenticate } from './authenticate.ts'
import { containedLeaseBody, containmentBody, previewBody } from './containment-body.ts'
import { streamContainment } from './containment-events.ts'
import { MAY_READ_INCIDENTS } from './freeze-routes.ts'
import { idempotencyOf } from './idempotency.ts'
import { operatorName } from './operator-name.ts'
import { parseIncidentRequest, required } from './parse-incident-request.ts'
import { parseRequest } from './parse-request.ts'
import { routed } from './routed.ts'
import { selectorOf } from './selector-of.ts'

export interface ContainmentRoutesDeps {
  readonly contain: Contain
  readonly previewContainment: PreviewContainment
  readonly containments: Pick<ContainmentStore, 'find' | 'list' | 'leases' | 'cancel'>
  /** Aborted when the broker stops: streams end then, and clients come back to another one. */
  readonly closing: { readonly signal: AbortSignal }
}

export function containmentRoutes(deps: ContainmentRoutesDeps, authenticate: Authenticate): Router {
  const router = Router()
  const { containments } = deps
  const mayAct = authenticate.operator(['responder'])
  const mayRead = authenticate.operator(MAY_READ_INCIDENTS)
  const one = '/v1/containments/:containmentId'

  router.post('/v1/containments', routed, mayAct, async (req, res) => {
    const body = parseIncidentRequest(containRequest, req.body)
    const selector = selectorOf(body.selector)
    if (body.dryRun) {
      res.json({ preview: previewBody(await deps.previewContainment(selector)) })
      return
    }
    const by = operatorName(res)
    const { containment, started } = await deps.contain({
      selector,
      reason: required(body.reason, 'reason_required'),
      incident: required(body.incident, 'incident_required'),
      by,
      freezeUntil: body.freezeUntil === undefined ? null : new Date(body.freezeUntil),
      idempotency: idempotencyOf(req, { operation: 'contain', caller: by, body }),
    })
    res.set('location', `/v1/containments/${containment.id}`)
    res.status(started ? 202 : 200).json({ containment: containmentBody(containment) })
  })

  router.get('/v1/containments', routed, mayRead, async (req, res) => {
    const found = await containments.list(parseRequest(containmentListQuery, req.query).limit)
    res.json({ containments: found.map(containmentBody) })
  })

  router.get(one, routed, mayRead, async (req, res) => {
    const { limit } = parseRequest(containmentQuery, req.query)
    const containment = await find(deps, req)
    const leases = await containments.leases(containment.id, limit)
    res.json({
      containment: containmentBody(containment),
      leases: leases.map(containedLeaseBody),
    })
  })

  router.get(`${one}/events`, routed, mayRead, async (req, res) => {
    const { id } = await find(deps, req)
    await streamContainment(res, {
      find: () => containments.find(id),
      closing: deps.closing.signal,
    })
  })

  router.post(`${one}/cancel`, routed, mayAct, async (req, res) => {
    const { reason } = parseIncidentRequest(reasonRequest, req.body)
    const act = { by: operatorName(res), reason: required(reason, 'reason_required') }
    await containments.cancel(idOf(req), act)
    res.json({ containment: containmentBody(await find(deps, req)) })
  })

  return router
}

async function find({ containments }: ContainmentRoutesDeps, req: Request): Promise<Containment> {
  const containment = await containments.find(idOf(req))
  if (containment) return containment
  throw new MayflyError('containment_unknown', 'there is no such containment')
}

function idOf(req: Request): string {
  const id = req.params['containmentId']
  return typeof id === 'string' ? id : ''
}
