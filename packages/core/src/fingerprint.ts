import { createHash } from 'node:crypto'

import type { Secret } from './secret.ts'

/** Base64 SHA-256, the form of `hashed_token` in GitHub's audit log. */
export function fingerprintOf(secret: Secret): string {
  return createHash('sha256').update(secret.reveal()).digest('base64')
}
