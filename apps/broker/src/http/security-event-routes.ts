import {
  MayflyError,
  type PolicySource,
  type ReceiveSecurityEvent,
  type SecurityEvent,
} from '@mayfly/core'
import { refusalOf, type RefusalReason, type SecurityEventVerifier } from '@mayfly/identity'
import type { DeliveryError } from '@mayfly/protocol'
import express, { Router, type RequestHandler, type Response } from 'express'

import type { AuthenticateDeps } from './authenticate.ts'
import { contextOf } from './request-context.ts'
import { routed } from './routed.ts'

export interface SecurityEventRoutesDeps extends Pick<AuthenticateDeps, 'refused'> {
  readonly securityEvents: SecurityEventVerifier
  readonly receiveSecurityEvent: ReceiveSecurityEvent
  readonly policies: PolicySource
}

const LIMIT_BYTES = 32 * 1024

/** What is not here is an `invalid_request`: the token is not one that anybody could accept. */
const ERRORS: Readonly<Partial<Record<RefusalReason, DeliveryError['err']>>> = {
  issuer_unknown: 'invalid_issuer',
  issuer_ambiguous: 'invalid_issuer',
  issuer_misconfigured: 'invalid_issuer',
  issuer_wrong: 'invalid_issuer',
  audience_wrong: 'invalid_audience',
  algorithm_not_accepted: 'invalid_key',
  key_unknown: 'invalid_key',
  key_unusable: 'invalid_key',
  signature_invalid: 'authentication_failed',
}

const DESCRIPTIONS: Readonly<Record<DeliveryError['err'], string>> = {
  invalid_request: 'send one security event token, in date and of a known form',
  invalid_key: 'the token is signed with a key that is not accepted',
  invalid_issuer: 'the token is from nobody whose events are taken here',
  invalid_audience: 'the token is for somebody else',
  authentication_failed: 'the signature of the token is not valid',
}

/**
 * Push delivery of security event tokens (RFC 8935). The token's own signature is what
 * authenticates the transmitter; a bearer token is not asked for.
 */
export function securityEventRoutes(deps: SecurityEventRoutesDeps): Router {
  const router = Router()

  router.post('/v1/security-events', routed, readToken, async (req, res) => {
    const event = await verified(deps, req.body, res)
    if (!event) return
    await deps.receiveSecurityEvent(event)
    // At once or again: a repetition has had its effect, and the transmitter may forget it (section 2.2).
    res.status(202).end()
  })

  return router
}

/** Null when the refusal has been answered. What passes by itself is thrown, so that it is sent again. */
async function verified(
  deps: SecurityEventRoutesDeps,
  body: unknown,
  res: Response,
): Promise<SecurityEvent | null> {
  try {
    const token = typeof body === 'string' ? body : ''
    return await deps.securityEvents.verify(token, deps.policies.current().issuers)
  } catch (error) {
    const refusal = refusalOf(error)
    if (!refusal || !(error instanceof MayflyError)) throw error
    const { requestId } = contextOf(res)
    deps.refused(error, requestId)
    contextOf(res).refusal = { code: error.code, reason: refusal.message }
    refuse(res, ERRORS[refusal.reason] ?? 'invalid_request')
    return null
  }
}

function refuse(res: Response, err: DeliveryError['err']): void {
  const body: DeliveryError = { err, description: DESCRIPTIONS[err] }
  res.status(400).set('content-language', 'en').json(body)
}

const readText: RequestHandler = express.text({
  limit: LIMIT_BYTES,
  type: () => true,
  inflate: false,
})

const readToken: RequestHandler = (req, res, next) => {
  if (!/^application\/secevent\+jwt\s*(;|$)/i.test(req.get('content-type') ?? '')) {
    refuse(res, 'invalid_request')
    return
  }
  readText(req, res, (error?: unknown) => {
    if (error === undefined) next()
    else refuse(res, 'invalid_request')
  })
}
