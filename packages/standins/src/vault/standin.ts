import express, { Router, type ErrorRequestHandler } from 'express'
import { z } from 'zod'

import { listen } from '../listen.ts'
import { capabilitiesAt } from './acl.ts'
import { appRoleRoutes, type AppRole } from './approle.ts'
import { makeDatabase, type Database, type DatabaseRole } from './database.ts'
import { faultRequestSchema, makeFaults, type Faults, type VaultFaultRequest } from './faults.ts'
import { kvRoutes, type KvData } from './kv-store.ts'
import { issued, live, type VaultIssued } from './ledger.ts'
import type { TokenRole } from './mint-token.ts'
import { makePolicies } from './policies.ts'
import type { Capability } from './policy-text.ts'
import { VaultRefusal } from './refusal.ts'
import { serve, type ServeParts } from './serve.ts'
import { tokenRoutes } from './token-routes.ts'
import { makeTokenStore, type TokenStore, type VaultToken } from './tokens.ts'
import { makeWrapping } from './wrapping.ts'

export interface VaultStandinOptions {
  readonly rootToken: string
  /** ACL policies by name, in HCL or JSON. */
  readonly policies?: Readonly<Record<string, string>>
  /** Service tokens that exist from the start, by token: their policies. */
  readonly tokens?: Readonly<Record<string, readonly string[]>>
  readonly tokenRoles?: Readonly<Record<string, TokenRole>>
  /** KV version 2 mounts: mount, then path, then data. */
  readonly kv?: Readonly<Record<string, Readonly<Record<string, KvData>>>>
  /** Roles of the database mount, `database`. */
  readonly databaseRoles?: Readonly<Record<string, DatabaseRole>>
  readonly appRoles?: readonly AppRole[]
  /** When given, every request must name it, as with `X-Vault-Namespace`. */
  readonly namespace?: string
  readonly clock?: { now(): Date }
  readonly port?: number
  /** Connections serve many requests, as in life; a client then holds some open. */
  readonly keepAlive?: boolean
}

export interface VaultStandin {
  readonly url: URL
  /** Everything minted through a token role, and every dynamic credential, dead or alive. */
  issued(): readonly VaultIssued[]
  /** Those of {@link VaultStandin.issued} that work. */
  live(now?: Date): readonly VaultIssued[]
  /** Makes requests fail, as `POST /_standin/faults` does. */
  fault(request: VaultFaultRequest): void
  /** Methods and paths so far, oldest first. */
  requests(): readonly string[]
  stop(): Promise<void>
}

/**
 * Starts enough of Vault and OpenBao to mint, use and revoke against: token roles, ACL policies,
 * KV version 2, dynamic database users, AppRole and response wrapping. Its answers were compared
 * with OpenBao 2.7.
 */
export async function startVaultStandin(options: VaultStandinOptions): Promise<VaultStandin> {
  const now = () => options.clock?.now() ?? new Date()
  const tokens = makeTokenStore(now)
  const databaseRoles = new Map(Object.entries(options.databaseRoles ?? {}))
  const database = makeDatabase({ mount: 'database', roles: databaseRoles, tokens, now })
  seedTokens(tokens, { [options.rootToken]: ['root'], ...options.tokens })

  const faults = makeFaults()
  const app = express()
  app.disable('x-powered-by')
  app.use(faults.middleware)
  app.use(express.json({ type: () => true, strict: false }))
  const parts = makeParts(options, { tokens, database, now })
  app.get('/v1/sys/health', (_request, response) => {
    response.json({ initialized: true, sealed: false, standby: false, version: 'stand-in' })
  })
  app.all(/^\/v1\/.+$/, (request, response) => {
    if (request.get('x-vault-namespace') !== options.namespace) {
      throw new VaultRefusal(404, 'namespace not found')
    }
    serve(parts, request, response)
  })
  app.use('/_standin', controlRoutes({ tokens, database, faults }))
  app.use(vaultError)

  const requests: string[] = []
  const listening = await listen((request, response) => {
    const url = request.url ?? ''
    if (url.startsWith('/v1/')) requests.push(`${request.method ?? ''} ${url}`)
    app(request, response)
  }, options)

  return {
    url: listening.url,
    issued: () => issued(tokens, database),
    live: (at = now()) => live(tokens, database, at),
    fault: (request) => {
      faults.set(request)
    },
    requests: () => [...requests],
    stop: () => listening.stop(),
  }
}

interface State {
  readonly tokens: TokenStore
  readonly database: Database
  readonly now: () => Date
}

function makeParts(options: VaultStandinOptions, { tokens, database, now }: State): ServeParts {
  const policies = makePolicies(options.policies ?? {})
  const wrapping = makeWrapping(tokens)
  const may = (token: VaultToken, path: string): ReadonlySet<Capability> =>
    token.policies.includes('root')
      ? new Set(['root'])
      : capabilitiesAt(policies.rulesOf(token.policies), path)
  const hasSudo = (token: VaultToken, path: string) => {
    const has = may(token, path)
    return has.has('sudo') || has.has('root')
  }
  const roles = new Map(Object.entries(options.tokenRoles ?? {}))
  const mounts = Object.entries(options.kv ?? {})
  return {
    tokens,
    may,
    wrapping,
    openRoutes: [...appRoleRoutes(options.appRoles ?? [], tokens), ...wrapping.routes],
    routes: [
      ...tokenRoutes({ tokens, roles, now, hasSudo }),
      ...policies.routes,
      ...database.routes,
      ...mounts.flatMap(([mount, seed]) => kvRoutes(mount, seed, now)),
    ],
  }
}

function seedTokens(tokens: TokenStore, seed: Readonly<Record<string, readonly string[]>>): void {
  for (const [id, policies] of Object.entries(seed)) {
    tokens.mint(
      {
        policies,
        parent: null,
        type: 'service',
        renewable: false,
        ttlSeconds: null,
        explicitMaxTtlSeconds: 0,
        numUses: 0,
        meta: null,
        path: 'auth/token/root',
      },
      id,
    )
  }
}

interface ControlParts extends Pick<State, 'tokens' | 'database'> {
  readonly faults: Faults
}

/** What tests and the sandbox ask the stand-in itself. */
function controlRoutes({ tokens, database, faults }: ControlParts): Router {
  const routes = Router()
  routes.get('/issued', (_request, response) => {
    response.json(issued(tokens, database))
  })
  routes.post('/faults', (request, response) => {
    faults.set(faultRequestSchema.parse(request.body))
    response.sendStatus(204)
  })
  // The database's own door: Basic credentials, 200 or 401.
  routes.get('/database/login', (request, response) => {
    const [, encoded = ''] = /^Basic (.+)$/.exec(request.get('authorization') ?? '') ?? []
    const [username = '', password = ''] = Buffer.from(encoded, 'base64').toString().split(':')
    response.sendStatus(database.login(username, password) ? 200 : 401)
  })
  return routes
}

const vaultError: ErrorRequestHandler = (error, _request, response, next) => {
  if (error instanceof VaultRefusal) response.status(error.status).json({ errors: error.errors })
  else if (error instanceof z.ZodError) response.status(400).json({ errors: [error.message] })
  else if (error instanceof SyntaxError) response.status(400).json({ errors: ['bad JSON'] })
  else next(error)
}
