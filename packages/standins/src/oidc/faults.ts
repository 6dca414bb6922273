import { setTimeout as wait } from 'node:timers/promises'

import type { RequestHandler } from 'express'
import { z } from 'zod'

const faultSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('slow'), milliseconds: z.int().positive() }),
  z.strictObject({ kind: z.literal('status'), status: z.int().min(300).max(599) }),
  z.strictObject({ kind: z.literal('oversized'), bytes: z.int().positive() }),
  z.strictObject({ kind: z.literal('garbage') }),
  z.strictObject({ kind: z.literal('redirect'), location: z.string() }),
])

/** How an issuer's endpoint misbehaves, until told otherwise. */
export type OidcFault = z.infer<typeof faultSchema>

export const OIDC_ENDPOINTS = ['discovery', 'jwks', 'spiffe', 'token'] as const
export type OidcEndpoint = (typeof OIDC_ENDPOINTS)[number]

/** Body of `POST /_standin/faults`: `{ endpoint, fault }`, where `null` heals. */
export const faultRequestSchema = z.strictObject({
  endpoint: z.enum(OIDC_ENDPOINTS),
  fault: faultSchema.nullable(),
})

/** Misbehaves when `current()` says so, and otherwise lets the request through. */
export function misbehave(current: () => OidcFault | undefined): RequestHandler {
  return async (_request, response, next) => {
    const fault = current()
    switch (fault?.kind) {
      case undefined:
        break
      case 'slow':
        await wait(fault.milliseconds, undefined, { ref: false })
        break
      case 'status':
        response.status(fault.status).json({ error: 'server_error' })
        return
      case 'oversized':
        response.type('json').send(`{"keys":[],"padding":"${'x'.repeat(fault.bytes)}"}`)
        return
      case 'garbage':
        response.type('json').send('<html>')
        return
      case 'redirect':
        response.redirect(302, fault.location)
        return
    }
    next()
  }
}
