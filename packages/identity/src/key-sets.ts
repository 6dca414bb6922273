import { MayflyError, type Clock, type Issuer } from '@mayfly/core'
import { createRemoteJWKSet, customFetch, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'

import { loadKeys, type LoadKeysOptions } from './load-keys.ts'

export interface KeySetsOptions extends LoadKeysOptions {
  readonly clock: Clock
  /** Keys older than this are not used: without fresh ones nothing is accepted (R15). */
  readonly maxAgeSeconds: number
  /** For this long after a load, a key id that it did not bring is taken for unknown. */
  readonly cooldownSeconds: number
  /** For this long after a load that failed, no other is tried. */
  readonly failureRestSeconds: number
  readonly timeoutSeconds: number
}

/** The keys of one of the issuers. They throw `issuer_unavailable` when they cannot be had. */
export type KeySets = (issuer: Issuer, issuers: readonly Issuer[]) => JWTVerifyGetKey

type Load = (signal: AbortSignal) => Promise<JSONWebKeySet>

/** Keeps key sets across changes of the policy set, as long as the issuer's key source is the same. */
export function makeKeySets(options: KeySetsOptions): KeySets {
  const keySets = new Map<string, JWTVerifyGetKey>()
  return (issuer, issuers) => {
    const id = keySourceId(issuer)
    const known = keySets.get(id)
    if (known) return known
    const current = new Set(issuers.map(keySourceId))
    for (const other of keySets.keys()) if (!current.has(other)) keySets.delete(other)
    const made = makeKeySet(issuer, options)
    keySets.set(id, made)
    return made
  }
}

function keySourceId({ name, type, issuer, keys }: Issuer): string {
  return JSON.stringify([name, type, issuer, keys])
}

/**
 * jose does the caching, the cool-down and the joining of concurrent loads. Where the keys come
 * from is ours to say, since that may be a file or take a discovery first; its URL is never used.
 */
function makeKeySet(issuer: Issuer, options: KeySetsOptions): JWTVerifyGetKey {
  const load = restingAfterFailure(options, async (signal) => {
    try {
      return await loadKeys(issuer, signal, options)
    } catch (cause) {
      throw new MayflyError('issuer_unavailable', 'the keys of the token issuer cannot be read', {
        retryable: true,
        retryAfterSeconds: options.failureRestSeconds,
        cause,
      })
    }
  })
  return createRemoteJWKSet(new URL('https://keys.invalid'), {
    cacheMaxAge: options.maxAgeSeconds * 1000,
    cooldownDuration: options.cooldownSeconds * 1000,
    timeoutDuration: options.timeoutSeconds * 1000,
    [customFetch]: async (_url, { signal }) => Response.json(await load(signal)),
  })
}

/** Spares a failing issuer, and us, a request for every token that arrives meanwhile. */
function restingAfterFailure(options: KeySetsOptions, load: Load): Load {
  let failure: { readonly error: unknown; readonly until: number } | null = null
  return async (signal) => {
    const now = options.clock.now().getTime()
    if (failure && now < failure.until) throw failure.error
    try {
      return await load(signal)
    } catch (error) {
      failure = { error, until: now + options.failureRestSeconds * 1000 }
      throw error
    }
  }
}
