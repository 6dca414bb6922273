import {
  fingerprintOf,
  MayflyError,
  Secret,
  type LeakedLease,
  type Operator,
  type ReportLeak,
} from '@mayfly/core'
import { LEAK_MAX_LENGTH, reportLeakRequest, type LeakedLeaseBody } from '@mayfly/protocol'
import { Router } from 'express'

import { callerOf, type Authenticate } from './authenticate.ts'
import { leaseBody } from './lease-body.ts'
import { limitCaller } from './limit-rate.ts'
import { routed } from './routed.ts'
import { taskBody } from './task-body.ts'

export interface LeakRoutesDeps {
  readonly reportLeak: ReportLeak
  /** Bounds a revocation, which goes on when the caller does not wait for it. */
  readonly revocationSignal: () => AbortSignal
}

/** Enough for a person with a list, too few for looking through guesses. */
const PER_MINUTE = 60

export function leakRoutes(deps: LeakRoutesDeps, authenticate: Authenticate): Router {
  const router = Router()
  const mayReport = authenticate.operator(['responder'])
  const limit = limitCaller(PER_MINUTE, (_req, res) => nameOf(callerOf(res, 'operator').operator))

  router.post('/v1/leaks', routed, mayReport, limit, async (req, res) => {
    const fingerprint = fingerprintIn(req.body)
    const reporter = nameOf(callerOf(res, 'operator').operator)
    const leases = await deps.reportLeak({ fingerprint, reporter }, deps.revocationSignal())
    res.json({ found: leases.length > 0, leases: leases.map(leakedLeaseBody) })
  })

  return router
}

function nameOf({ issuer, subject }: Operator): string {
  return `${issuer}#${subject}`
}

/**
 * The one place that sees what was found. Its errors are fixed sentences: a schema's own words name
 * unknown fields, and somebody may well paste a token as one.
 */
function fingerprintIn(body: unknown): string {
  const parsed = reportLeakRequest.safeParse(body)
  if (!parsed.success) throw isOversized(body) ? oversized() : invalid()
  if ('sha256' in parsed.data) return asBase64(parsed.data.sha256)
  return fingerprintOf(new Secret(parsed.data.credential.trim()))
}

function isOversized(body: unknown): boolean {
  const credential: unknown =
    typeof body === 'object' && body !== null && 'credential' in body ? body.credential : null
  return typeof credential === 'string' && credential.length > LEAK_MAX_LENGTH
}

function oversized(): MayflyError {
  return new MayflyError('payload_too_large', 'that is longer than any credential')
}

function invalid(): MayflyError {
  return new MayflyError(
    'invalid_request',
    'send either credential, which is not empty, or sha256, in hexadecimal or base64',
  )
}

/** Sixty-four characters are hexadecimal: base64 has forty-three, or forty-four with its padding. */
function asBase64(sha256: string): string {
  return Buffer.from(sha256, sha256.length === 64 ? 'hex' : 'base64').toString('base64')
}

function leakedLeaseBody({ outcome, lease, task, ...story }: LeakedLease): LeakedLeaseBody {
  const { decision, events } = story
  return {
    outcome,
    lease: leaseBody(lease),
    owner: lease.owner,
    subject: lease.subject,
    task: task && taskBody(task),
    decision: {
      ...decision,
      policies: [...decision.policies],
      decidedAt: decision.decidedAt.toISOString(),
    },
    events: events.map(({ at, ...event }) => ({ at: at.toISOString(), ...event })),
  }
}
