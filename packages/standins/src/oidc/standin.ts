import express, { Router, type ErrorRequestHandler } from 'express'
import type { JWK } from 'jose'
import { z } from 'zod'

import { listen } from '../listen.ts'
import { faultRequestSchema, misbehave, type OidcEndpoint, type OidcFault } from './faults.ts'
import { makeIssuer, type OidcIssuer } from './issuer.ts'
import { makeKeyRing, type KeyRing } from './key-ring.ts'

export interface OidcStandinOptions {
  /**
   * Names of the issuers, each at `<url>/<name>`; the empty name is the URL itself. One issuer with
   * the empty name unless told.
   */
  readonly issuers?: readonly string[]
  /** What {@link OidcStandin.exportKeys} gave earlier: the issuers stay the same over a restart. */
  readonly keys?: OidcStandinKeys
  readonly clock?: { now(): Date }
  readonly port?: number
}

/** Private JWKs by issuer name. Plain JSON, for a file that only its owner can read. */
export type OidcStandinKeys = Readonly<Record<string, readonly JWK[]>>

/** Development issuers on one port. It is itself the first of them. */
export interface OidcStandin extends OidcIssuer {
  readonly url: URL
  /** The issuer of that name. Throws a `TypeError` when there is none. */
  named(name: string): OidcIssuer
  exportKeys(): OidcStandinKeys
  /** Makes an endpoint of every issuer misbehave; `null` heals it. */
  fault(endpoint: OidcEndpoint, fault: OidcFault | null): void
  /** Paths asked for so far, oldest first: shows what a client caches. */
  requests(): readonly string[]
  stop(): Promise<void>
}

const tokenRequestSchema = z.strictObject({
  sub: z.string().min(1),
  aud: z.union([z.string(), z.array(z.string())]),
  claims: z.record(z.string(), z.unknown()).default({}),
  ttlSeconds: z.int().min(1).max(86_400).default(300),
  algorithm: z.enum(['ES256', 'RS256']).default('ES256'),
})

/**
 * Starts a development OIDC issuer: discovery, JWKS, a SPIFFE bundle, and `POST <issuer>/token`,
 * which signs whatever it is asked to.
 */
export async function startOidcStandin(options: OidcStandinOptions = {}): Promise<OidcStandin> {
  const { issuers: names = [''], keys = {}, clock = { now: () => new Date() } } = options
  const [firstName] = names
  if (firstName === undefined) throw new TypeError('name at least one issuer')
  const rings = new Map<string, KeyRing>()
  for (const name of names) rings.set(name, await makeKeyRing(keys[name]))

  const faults = new Map<OidcEndpoint, OidcFault>()
  const requests: string[] = []
  const app = express()
  app.disable('x-powered-by')
  const listening = await listen(
    (request, response) => {
      requests.push(request.url ?? '')
      app(request, response)
    },
    { port: options.port },
  )

  const issuers = new Map<string, OidcIssuer>()
  for (const [name, ring] of rings) {
    const issuer = `${listening.url.origin}${name === '' ? '' : `/${name}`}`
    issuers.set(name, makeIssuer({ issuer, ring, now: () => clock.now() }))
  }
  const named = (name: string): OidcIssuer => {
    const issuer = issuers.get(name)
    if (issuer === undefined) throw new TypeError(`no issuer is called ${name}`)
    return issuer
  }

  app.post('/_standin/faults', express.json(), (request, response) => {
    setFault(faults, faultRequestSchema.parse(request.body))
    response.sendStatus(204)
  })
  for (const [name, issuer] of issuers) app.use(`/${name}`, issuerRoutes(issuer, faults))
  app.use(badRequest)

  return {
    ...named(firstName),
    url: listening.url,
    named,
    exportKeys: () => Object.fromEntries([...rings].map(([name, ring]) => [name, ring.export()])),
    fault: (endpoint, fault) => {
      setFault(faults, { endpoint, fault })
    },
    requests: () => [...requests],
    stop: () => listening.stop(),
  }
}

function issuerRoutes(issuer: OidcIssuer, faults: Map<OidcEndpoint, OidcFault>): Router {
  const failing = (endpoint: OidcEndpoint) => misbehave(() => faults.get(endpoint))
  const routes = Router()
  routes.get('/.well-known/openid-configuration', failing('discovery'), (_request, response) => {
    response.set('cache-control', 'public, max-age=300').json(discovery(issuer))
  })
  routes.get('/jwks', failing('jwks'), (_request, response) => {
    response.set('cache-control', 'public, max-age=300').json(issuer.jwks())
  })
  routes.get('/spiffe/bundle', failing('spiffe'), (_request, response) => {
    response.set('cache-control', 'public, max-age=300').json(issuer.spiffeBundle())
  })
  // JSON only: a web page cannot send it to a loopback port without asking first.
  routes.post('/token', express.json(), failing('token'), async (request, response) => {
    const { sub, aud, claims, ttlSeconds, algorithm } = tokenRequestSchema.parse(request.body)
    const wanted = { expiresInSeconds: ttlSeconds, algorithm }
    const token = await issuer.issue({ ...claims, sub, aud }, wanted)
    response.set('cache-control', 'no-store').json({ token })
  })
  return routes
}

function discovery({ issuer, jwksUrl }: OidcIssuer) {
  return {
    issuer,
    jwks_uri: jwksUrl.href,
    token_endpoint: `${issuer}/token`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256', 'RS256'],
  }
}

function setFault(
  faults: Map<OidcEndpoint, OidcFault>,
  { endpoint, fault }: { endpoint: OidcEndpoint; fault: OidcFault | null },
) {
  if (fault === null) faults.delete(endpoint)
  else faults.set(endpoint, fault)
}

const badRequest: ErrorRequestHandler = (error, _request, response, next) => {
  if (!(error instanceof z.ZodError)) {
    next(error)
    return
  }
  response.status(400).json({ error: 'invalid_request', issues: error.issues })
}
