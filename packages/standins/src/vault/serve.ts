import { randomUUID } from 'node:crypto'

import type { Request, Response } from 'express'

import type { OpenRoute, Operation, Reply, Route } from './call.ts'
import type { Capability } from './policy-text.ts'
import { permissionDenied, VaultRefusal, wrapped } from './refusal.ts'
import type { TokenStore, VaultToken } from './tokens.ts'
import type { Wrapping } from './wrapping.ts'

export interface ServeParts {
  readonly routes: readonly Route[]
  readonly openRoutes: readonly OpenRoute[]
  readonly tokens: TokenStore
  readonly may: (token: VaultToken, path: string) => ReadonlySet<Capability>
  readonly wrapping: Wrapping
}

/** Answers one request below `/v1/`, or throws a {@link VaultRefusal}. */
export function serve(parts: ServeParts, request: Request, response: Response): void {
  const operation = operationOf(request)
  const whole = decodeURIComponent(request.path.slice('/v1/'.length))
  const path = operation === 'list' ? whole.replace(/\/$/, '') : whole
  const reply = replyTo(parts, { operation, path, body: request.body as unknown, request })

  const wrapTtl = request.get('x-vault-wrap-ttl')
  if (wrapTtl === undefined) send(response, reply)
  else send(response, {}, parts.wrapping.wrap(reply, path, wrapTtl))
}

interface Asked {
  readonly operation: Operation
  readonly path: string
  readonly body: unknown
  readonly request: Request
}

function replyTo(parts: ServeParts, asked: Asked): Reply {
  const { operation, path, body } = asked
  const token = parts.tokens.find(tokenIn(asked.request))
  const matches = (route: Route | OpenRoute) =>
    route.operation === operation && route.pattern.test(path)

  const open = parts.openRoutes.find(matches)
  if (open) return open.handle({ body, token })

  if (token === undefined) throw new VaultRefusal(403, 'permission denied')
  const spent = spendUse(token)
  try {
    const route = parts.routes.find(matches)
    authorize(parts, asked, { token, route })
    if (route === undefined) {
      throw new VaultRefusal(404, `no handler for route "${path}". route entry not found.`)
    }
    const [, ...groups] = route.pattern.exec(path) ?? []
    return route.handle({ body, token }, groups)
  } finally {
    // A token with no use left is gone, and with it the leases it asked for.
    if (spent) parts.tokens.revoke(token)
  }
}

function authorize(
  { may }: ServeParts,
  { operation, path }: Asked,
  { token, route }: { readonly token: VaultToken; readonly route: Route | undefined },
): void {
  const wanted = capabilityFor(operation, route?.exists?.(path) ?? true)
  const ways = operation === 'list' ? [`${path}/`, path] : [path]
  const allowed = ways.some((way) => {
    const has = may(token, way)
    if (has.has('root')) return true
    return has.has(wanted) && (route?.sudo !== true || has.has('sudo'))
  })
  if (!allowed) throw permissionDenied()
}

function capabilityFor(operation: Operation, exists: boolean): Capability {
  if (operation === 'write') return exists ? 'update' : 'create'
  return operation
}

/** True when this was the last one. */
function spendUse(token: VaultToken): boolean {
  if (token.numUses === 0) return false
  token.usesLeft -= 1
  return token.usesLeft === 0
}

function operationOf({ method, query }: Request): Operation {
  switch (method) {
    case 'GET':
      return query['list'] === undefined ? 'read' : 'list'
    case 'POST':
    case 'PUT':
      return 'write'
    case 'DELETE':
      return 'delete'
    default:
      throw new VaultRefusal(405, wrapped('unsupported operation'))
  }
}

function tokenIn(request: Request): string {
  const bearer = /^Bearer (.+)$/.exec(request.get('authorization') ?? '')?.[1]
  return request.get('x-vault-token') ?? bearer ?? ''
}

function send(response: Response, reply: Reply, wrapInfo: unknown = null): void {
  if (Object.keys(reply).length === 0 && wrapInfo === null) {
    response.sendStatus(204)
    return
  }
  response.set('cache-control', 'no-store').json({
    request_id: randomUUID(),
    lease_id: reply.leaseId ?? '',
    renewable: reply.renewable ?? false,
    lease_duration: reply.leaseSeconds ?? 0,
    data: reply.data ?? null,
    wrap_info: wrapInfo,
    warnings: reply.warnings ?? null,
    auth: reply.auth ?? null,
  })
}
