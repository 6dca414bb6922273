import { randomBytes } from 'node:crypto'

export type TokenType = 'service' | 'batch'

export interface TokenGrant {
  readonly policies: readonly string[]
  readonly parent: VaultToken | null
  readonly type: TokenType
  readonly renewable: boolean
  readonly ttlSeconds: number | null
  readonly explicitMaxTtlSeconds: number
  readonly numUses: number
  readonly meta: Readonly<Record<string, string>> | null
  readonly path: string
  readonly role?: string
}

/** A token as the stand-in knows it. Only `revokedAt`, `expiresAt` and `usesLeft` ever change. */
export interface VaultToken extends TokenGrant {
  readonly id: string
  /** Empty for a batch token: it has none, and so cannot be revoked. */
  readonly accessor: string
  readonly createdAt: Date
  expiresAt: Date | null
  revokedAt: Date | null
  usesLeft: number
}

export interface TokenStore {
  mint(grant: TokenGrant, id?: string): VaultToken
  /** The token if it works now. */
  find(id: string): VaultToken | undefined
  /** The token if it works now. */
  findByAccessor(accessor: string): VaultToken | undefined
  live(): readonly VaultToken[]
  all(): readonly VaultToken[]
  /** Own life and that of every ancestor: a child dies with its parent. */
  works(token: VaultToken, at?: Date): boolean
  revoke(token: VaultToken): void
}

export function makeTokenStore(now: () => Date): TokenStore {
  // Tens of thousands of them in a benchmark: looked up, never searched.
  const byId = new Map<string, VaultToken>()
  const byAccessor = new Map<string, VaultToken>()

  const works = (token: VaultToken, at = now()): boolean =>
    token.revokedAt === null &&
    (token.expiresAt === null || at < token.expiresAt) &&
    (token.parent === null || works(token.parent, at))

  const working = (token: VaultToken | undefined) =>
    token !== undefined && works(token) ? token : undefined

  return {
    works,
    mint(grant, id = `hv${grant.type === 'batch' ? 'b' : 's'}.${opaque()}`) {
      const createdAt = now()
      const token: VaultToken = {
        ...grant,
        id,
        accessor: grant.type === 'batch' ? '' : opaque(),
        createdAt,
        expiresAt:
          grant.ttlSeconds === null
            ? null
            : new Date(createdAt.getTime() + grant.ttlSeconds * 1000),
        revokedAt: null,
        usesLeft: grant.numUses,
      }
      byId.set(token.id, token)
      byAccessor.set(token.accessor, token)
      return token
    },
    find: (id) => working(byId.get(id)),
    findByAccessor: (accessor) => (accessor === '' ? undefined : working(byAccessor.get(accessor))),
    live: () => [...byId.values()].filter((token) => works(token)),
    all: () => [...byId.values()],
    revoke: (token) => {
      token.revokedAt = now()
    },
  }
}

export function opaque(): string {
  return randomBytes(18).toString('base64url').replaceAll(/[-_]/g, 'x')
}
