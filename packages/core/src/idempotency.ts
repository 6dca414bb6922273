/** Makes the same request safe to send twice. The digest covers the body and the caller. */
export interface Idempotency {
  readonly key: string
  readonly requestSha256: string
}
