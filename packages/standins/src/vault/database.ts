import { z } from 'zod'

import type { Reply, Route } from './call.ts'
import { duration } from './duration.ts'
import { VaultRefusal, wrapped } from './refusal.ts'
import { opaque, type TokenStore, type VaultToken } from './tokens.ts'

/** A dynamic credential: a database user that works until its lease or its token ends. */
export interface DatabaseLease {
  readonly leaseId: string
  readonly role: string
  readonly username: string
  readonly password: string
  readonly token: VaultToken
  readonly issuedAt: Date
  expiresAt: Date
  revokedAt: Date | null
}

export interface DatabaseRole {
  /** How long a user lives unless its token ends first. An hour unless told. */
  readonly ttlSeconds?: number
}

export interface Database {
  readonly routes: readonly Route[]
  leases(): readonly DatabaseLease[]
  works(lease: DatabaseLease, at?: Date): boolean
  /** What the database itself says to a login. */
  login(username: string, password: string): boolean
}

export interface DatabaseParts {
  readonly mount: string
  readonly roles: ReadonlyMap<string, DatabaseRole>
  readonly tokens: TokenStore
  readonly now: () => Date
}

/** `<mount>/creds/:role` and `sys/leases/*`. */
export function makeDatabase(parts: DatabaseParts): Database {
  const leases = new Map<string, DatabaseLease>()
  const works = (lease: DatabaseLease, at = parts.now()): boolean =>
    lease.revokedAt === null && at < lease.expiresAt && parts.tokens.works(lease.token, at)
  const issue: Route = {
    pattern: new RegExp(`^${parts.mount}/creds/([^/]+)$`),
    operation: 'read',
    handle: ({ token }, [role = '']) => {
      const lease = newLease(parts, role, token)
      leases.set(lease.leaseId, lease)
      const { leaseId, username, password } = lease
      const leaseSeconds = secondsLeft(lease, parts.now())
      return { data: { username, password }, leaseId, leaseSeconds, renewable: true }
    },
  }
  const find = (id: string) => {
    const lease = leases.get(id)
    return lease !== undefined && works(lease) ? lease : undefined
  }
  return {
    routes: [issue, ...leaseRoutes(find, parts.now)],
    leases: () => [...leases.values()],
    works,
    login: (username, password) =>
      [...leases.values()].some(
        (lease) => lease.username === username && lease.password === password && works(lease),
      ),
  }
}

function newLease(
  { mount, roles, now }: DatabaseParts,
  role: string,
  token: VaultToken,
): DatabaseLease {
  const found = roles.get(role)
  if (found === undefined) throw new VaultRefusal(400, wrapped(`unknown role: ${role}`))
  if (token.numUses > 0 && token.usesLeft === 0) {
    throw new VaultRefusal(
      400,
      'Secret cannot be returned; token had one use left, so leased credentials were immediately revoked.',
    )
  }
  return {
    leaseId: `${mount}/creds/${role}/${opaque()}`,
    role,
    username: `v-token-${role}-${opaque()}`,
    password: opaque(),
    token,
    issuedAt: now(),
    expiresAt: new Date(now().getTime() + (found.ttlSeconds ?? 3600) * 1000),
    revokedAt: null,
  }
}

const leaseSchema = z.object({ lease_id: z.string().min(1).optional() })
const renewSchema = leaseSchema.extend({ increment: duration.optional() })

function leaseRoutes(
  find: (leaseId: string) => DatabaseLease | undefined,
  now: () => Date,
): readonly Route[] {
  const named = (body: unknown): DatabaseLease | undefined => {
    const { lease_id: id } = leaseSchema.parse(body)
    if (id === undefined) throw new VaultRefusal(400, 'lease_id must be specified')
    return find(id)
  }
  const existing = (body: unknown): DatabaseLease => {
    const lease = named(body)
    if (lease === undefined) throw new VaultRefusal(400, 'invalid lease')
    return lease
  }
  const write = (pattern: RegExp, handle: (body: unknown) => Reply): Route => ({
    pattern,
    operation: 'write',
    handle: ({ body }) => handle(body),
  })
  return [
    write(/^sys\/leases\/lookup$/, (body) => ({ data: described(existing(body), now()) })),
    write(/^sys\/leases\/revoke$/, (body) => {
      const lease = named(body)
      if (lease !== undefined) lease.revokedAt = now()
      return {}
    }),
    write(/^sys\/leases\/renew$/, (body) => {
      const lease = existing(body)
      const { increment = 3600 } = renewSchema.parse(body)
      lease.expiresAt = new Date(now().getTime() + increment * 1000)
      return { leaseId: lease.leaseId, leaseSeconds: increment, renewable: true }
    }),
  ]
}

function described(lease: DatabaseLease, now: Date) {
  return {
    id: lease.leaseId,
    issue_time: lease.issuedAt,
    expire_time: lease.expiresAt,
    last_renewal: null,
    renewable: true,
    ttl: secondsLeft(lease, now),
  }
}

function secondsLeft(lease: DatabaseLease, now: Date): number {
  return Math.floor((lease.expiresAt.getTime() - now.getTime()) / 1000)
}
