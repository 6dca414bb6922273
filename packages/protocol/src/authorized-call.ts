import type { CredentialText } from './credential-text.ts'
import type { CallOptions } from './http-call.ts'

export interface AuthorizedCall extends CallOptions {
  /** Workload, task or operator token, as the route demands. */
  readonly token: CredentialText
}

export interface RepeatableCall extends AuthorizedCall {
  /** The same key and the same request never act twice. */
  readonly idempotencyKey?: string
}
