import type { VaultToken } from './tokens.ts'

export type Operation = 'read' | 'list' | 'write' | 'delete'

/** One request whose token was checked against the ACL. */
export interface Call {
  readonly body: unknown
  readonly token: VaultToken
}

/** One request to a path that needs no token; there may be one all the same. */
export interface OpenCall {
  readonly body: unknown
  readonly token: VaultToken | undefined
}

/** What goes into Vault's envelope. One without any member is a 204. */
export interface Reply {
  readonly data?: unknown
  readonly auth?: unknown
  readonly warnings?: readonly string[]
  readonly leaseId?: string
  readonly leaseSeconds?: number
  readonly renewable?: boolean
}

interface Matched {
  /** Of the path without `/v1/`, and without the slash that ends a LIST. */
  readonly pattern: RegExp
  readonly operation: Operation
}

export interface Route extends Matched {
  /** Needs `sudo` besides the ordinary capability. */
  readonly sudo?: boolean
  /** For paths where writing something new is `create` and not `update`. */
  readonly exists?: (path: string) => boolean
  /** `groups` are the pattern's. */
  readonly handle: (call: Call, groups: readonly string[]) => Reply
}

export interface OpenRoute extends Matched {
  readonly handle: (call: OpenCall) => Reply
}
