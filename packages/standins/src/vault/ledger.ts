import type { Database } from './database.ts'
import type { TokenStore, VaultToken } from './tokens.ts'

/** One token or dynamic credential that was minted over HTTP. Never the secret itself. */
export interface VaultIssued {
  readonly kind: 'token' | 'database'
  readonly accessor: string
  readonly policies: readonly string[]
  readonly meta: Readonly<Record<string, string>> | null
  readonly leaseId: string | null
  readonly issuedAt: Date
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
}

/** Everything minted through a token role, and every dynamic credential, dead or alive. */
export function issued(tokens: TokenStore, database: Database): readonly VaultIssued[] {
  return entries(tokens, database).map(({ what }) => what)
}

/** Those of {@link issued} that work at that instant. */
export function live(tokens: TokenStore, database: Database, at: Date): readonly VaultIssued[] {
  return entries(tokens, database)
    .filter(({ works }) => works(at))
    .map(({ what }) => what)
}

function entries(tokens: TokenStore, database: Database) {
  const minted = tokens.all().filter((token) => token.role !== undefined)
  return [
    ...minted.map((token) => ({
      what: describe(token, { kind: 'token', leaseId: null, ...token }),
      works: (at: Date) => tokens.works(token, at),
    })),
    ...database.leases().map((lease) => ({
      what: describe(lease.token, { kind: 'database', createdAt: lease.issuedAt, ...lease }),
      works: (at: Date) => database.works(lease, at),
    })),
  ]
}

interface Life {
  readonly kind: VaultIssued['kind']
  readonly leaseId: string | null
  readonly createdAt: Date
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
}

function describe({ accessor, policies, meta }: VaultToken, life: Life): VaultIssued {
  const { kind, leaseId, createdAt: issuedAt, expiresAt, revokedAt } = life
  return { kind, accessor, policies, meta, leaseId, issuedAt, expiresAt, revokedAt }
}
