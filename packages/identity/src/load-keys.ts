import type { Issuer } from '@mayfly/core'
import type { JSONWebKeySet } from 'jose'
import { z } from 'zod'

import { fetchableUrl, isLoopback } from './fetchable-url.ts'
import { fetchJson } from './fetch-json.ts'

export interface LoadKeysOptions {
  readonly fetch: typeof globalThis.fetch
  readonly readFile: (path: string) => Promise<string>
}

/** Published key sets are a few kilobytes; a SPIFFE bundle with federated roots is the largest. */
const MAX_BYTES = 512 * 1024

const keySet = z.looseObject({
  keys: z.array(z.looseObject({ kty: z.string(), use: z.string().exactOptional() })).max(1000),
})
const discovery = z.looseObject({ issuer: z.string(), jwks_uri: z.string() })

/** Reads an issuer's keys from where its resource says. Rejects with whatever went wrong. */
export async function loadKeys(
  issuer: Issuer,
  signal: AbortSignal,
  options: LoadKeysOptions,
): Promise<JSONWebKeySet> {
  const { keys } = keySet.parse(await readKeys(issuer, signal, options))
  return { keys: issuer.type === 'spiffe' ? jwtSvidKeys(keys) : keys }
}

async function readKeys(
  issuer: Issuer,
  signal: AbortSignal,
  options: LoadKeysOptions,
): Promise<unknown> {
  const get = (url: URL): Promise<unknown> =>
    fetchJson(url, { fetch: options.fetch, signal, maxBytes: MAX_BYTES })
  switch (issuer.keys.from) {
    case 'file':
      return JSON.parse(await options.readFile(issuer.keys.path))
    case 'url':
      return get(required(fetchableUrl(issuer.keys.url)))
    case 'discovery':
      return get(await discover(issuer.issuer ?? '', get))
  }
}

/** OpenID Connect Discovery 1.0 section 4: the document must name the issuer that it was asked of. */
async function discover(issuer: string, get: (url: URL) => Promise<unknown>): Promise<URL> {
  const base = issuer.replace(/\/$/, '')
  const url = required(fetchableUrl(`${base}/.well-known/openid-configuration`))
  const document = discovery.parse(await get(url))
  if (document.issuer !== issuer) throw new Error(`${url.href} speaks for another issuer`)
  const keysUrl = required(fetchableUrl(document.jwks_uri))
  // An issuer elsewhere has no business with what listens on this machine.
  if (isLoopback(keysUrl) && !isLoopback(url)) throw new Error(`${url.href} points to loopback`)
  return keysUrl
}

/**
 * A SPIFFE bundle marks its keys `jwt-svid` and holds X.509 authorities beside them. jose accepts
 * only keys for `sig`, so the mark is dropped from those that carry it and the others are left out.
 */
function jwtSvidKeys(keys: z.output<typeof keySet>['keys']): JSONWebKeySet['keys'] {
  return keys.filter(({ use }) => use === 'jwt-svid').map(({ use: _use, ...key }) => key)
}

function required(url: URL | null): URL {
  if (!url) throw new Error('the key URL is neither https nor loopback')
  return url
}
