import type { Clock, Secret } from '@mayfly/core'

import type { SignAppJwt } from './app-jwt.ts'

export interface KeepAppJwtOptions {
  /** Asked for each time, so that a new key is used as soon as it is there. */
  readonly privateKey: () => Secret | Promise<Secret>
  readonly sign: (privateKey: Secret) => Promise<string>
  readonly clock: Clock
}

/** GitHub takes one for ten minutes. What is left must outlast any request, and clocks that differ. */
const USED_FOR_MS = 4 * 60_000

interface Signed {
  readonly privateKey: Secret
  readonly until: number
  readonly jwt: Promise<string>
}

/**
 * Keeps the App's JWT for a while, in memory. It says which App is speaking and nothing of the mint,
 * and its signature costs more than all else that a mint computes.
 */
export function keepAppJwt({ privateKey, sign, clock }: KeepAppJwtOptions): SignAppJwt {
  let last: Signed | null = null
  return async () => {
    const key = await privateKey()
    const now = clock.now().getTime()
    if (last && now < last.until && last.privateKey.reveal() === key.reveal()) return last.jwt
    const signed = { privateKey: key, until: now + USED_FOR_MS, jwt: sign(key) }
    last = signed
    return signed.jwt.catch((error: unknown) => {
      if (last === signed) last = null
      throw error
    })
  }
}
