import {
  MayflyError,
  type EndLease,
  type IssueLease,
  type Lease,
  type LeaseStore,
  type Report,
  type Task,
  type TaskStore,
} from '@mayfly/core'
import { openLeaseRequest } from '@mayfly/protocol'
import { Router, type Request, type Response } from 'express'

import { ANY_ROLE, callerOf, type Authenticate } from './authenticate.ts'
import { callerSignal, deliver } from './deliver.ts'
import { idempotencyOf } from './idempotency.ts'
import { leaseBody } from './lease-body.ts'
import { leaseFilterOf } from './lease-filter.ts'
import { parseRequest } from './parse-request.ts'
import { contextOf } from './request-context.ts'
import { routed } from './routed.ts'

export interface LeaseRoutesDeps {
  readonly issueLease: IssueLease
  readonly endLease: EndLease
  readonly tasks: Pick<TaskStore, 'find'>
  readonly leases: Pick<LeaseStore, 'find' | 'list' | 'delivered'>
  /** Bounds a revocation, which goes on when the caller does not wait for it. */
  readonly revocationSignal: () => AbortSignal
  readonly report: Report
}

export function leaseRoutes(deps: LeaseRoutesDeps, authenticate: Authenticate): Router {
  const router = Router()
  const one = '/v1/leases/:leaseId'

  router.post('/v1/leases', routed, authenticate.task, async (req, res) => {
    const signal = callerSignal(req, res)
    const body = parseRequest(openLeaseRequest, req.body)
    const task = await openTaskOf(deps, res)
    const idempotency = idempotencyOf(req, { operation: 'openLease', caller: task.id, body })
    const { lease, credential } = await deps.issueLease(
      { task, request: body, idempotency },
      signal,
    )
    contextOf(res).leaseId = lease.id
    deliver(req, res, {
      body: { lease: leaseBody(lease) },
      credential,
      delivered: () => {
        deps.leases.delivered(lease.id)
      },
      broken: () => {
        revokeUndelivered(deps, lease.id)
      },
    })
  })

  router.get('/v1/leases', routed, authenticate.taskOrOperator(ANY_ROLE), async (req, res) => {
    const caller = callerOf(res, 'task', 'operator')
    const { limit, ...filter } = leaseFilterOf({ ...req.query })
    const own = caller.kind === 'task' ? { taskId: caller.taskId } : {}
    // One more than is shown tells whether there are more.
    const found = await deps.leases.list({ ...filter, ...own, limit: limit + 1 })
    res.json({ leases: found.slice(0, limit).map(leaseBody), truncated: found.length > limit })
  })

  router.get(one, routed, authenticate.taskOrOperator(ANY_ROLE), async (req, res) => {
    res.json({ lease: leaseBody(await visibleLease(deps, req, res)) })
  })

  const mayRevoke = authenticate.taskOrOperator(['responder', 'platform'])
  router.delete(one, routed, mayRevoke, async (req, res) => {
    const { id } = await visibleLease(deps, req, res)
    const reason = callerOf(res, 'task', 'operator').kind === 'operator' ? 'operator' : 'holder'
    const lease = await deps.endLease(id, reason, deps.revocationSignal())
    res.json({ lease: leaseBody(lease) })
  })

  return router
}

async function openTaskOf(deps: LeaseRoutesDeps, res: Response): Promise<Task> {
  const { taskId } = callerOf(res, 'task')
  const task = await deps.tasks.find(taskId)
  if (!task) throw new MayflyError('task_unknown', 'there is no such task, or it is not yours')
  if (task.closedAt) throw new MayflyError('task_closed', 'the task is closed')
  return task
}

/** A task sees its own leases; of others it does not even learn that they exist. */
async function visibleLease(deps: LeaseRoutesDeps, req: Request, res: Response): Promise<Lease> {
  const caller = callerOf(res, 'task', 'operator')
  const id = req.params['leaseId']
  const lease = typeof id === 'string' ? await deps.leases.find(id) : null
  if (!lease || (caller.kind === 'task' && caller.taskId !== lease.taskId)) {
    throw new MayflyError('lease_unknown', 'there is no such lease, or it is not yours')
  }
  contextOf(res).leaseId = lease.id
  return lease
}

/** If this fails as well, the delivery deadline in the database does it. */
function revokeUndelivered(deps: LeaseRoutesDeps, leaseId: string): void {
  deps.endLease(leaseId, 'undelivered', deps.revocationSignal()).catch((error: unknown) => {
    deps.report('an undelivered credential was not revoked at once', error, { leaseId })
  })
}
