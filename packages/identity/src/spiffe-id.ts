export interface SpiffeId {
  readonly trustDomain: string
  /** Begins with a slash, never ends with one. */
  readonly path: string
}

const MAX_ID_BYTES = 2048
const MAX_TRUST_DOMAIN_BYTES = 255
const TRUST_DOMAIN = /^[a-z0-9._-]+$/
const SEGMENT = /^[a-zA-Z0-9._-]+$/

/** Parses a workload's SPIFFE ID, or returns `null` where the grammar is broken (SPIFFE-ID section 2). */
export function parseSpiffeId(text: string): SpiffeId | null {
  const prefix = 'spiffe://'
  if (text.length > MAX_ID_BYTES || !text.startsWith(prefix)) return null
  const [trustDomain = '', ...segments] = text.slice(prefix.length).split('/')
  if (!isTrustDomain(trustDomain) || segments.length === 0) return null
  if (!segments.every(isSegment)) return null
  return { trustDomain, path: `/${segments.join('/')}` }
}

export function isTrustDomain(text: string): boolean {
  return text.length <= MAX_TRUST_DOMAIN_BYTES && TRUST_DOMAIN.test(text)
}

function isSegment(text: string): boolean {
  return SEGMENT.test(text) && text !== '.' && text !== '..'
}
