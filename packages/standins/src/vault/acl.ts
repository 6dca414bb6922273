import type { Capability, PolicyRules } from './policy-text.ts'

/**
 * What a token with these policies may do at a path. The most specific pattern decides; where two
 * policies have the same one, their capabilities add up and `deny` wins.
 */
export function capabilitiesAt(
  policies: readonly PolicyRules[],
  path: string,
): ReadonlySet<Capability> {
  const patterns = policies.flatMap((rules) => Object.keys(rules))
  const [best] = patterns.filter((pattern) => covers(pattern, path)).sort(bySpecificity)
  if (best === undefined) return new Set()
  const found = new Set(policies.flatMap((rules) => rules[best] ?? []))
  return found.has('deny') ? new Set(['deny']) : found
}

function covers(pattern: string, path: string): boolean {
  const glob = pattern.endsWith('*')
  const wanted = (glob ? pattern.slice(0, -1) : pattern).split('/')
  const given = path.split('/')
  if (glob ? given.length < wanted.length : given.length !== wanted.length) return false
  return wanted.every((segment, index) => {
    const actual = given[index] ?? ''
    if (segment === '+') return actual !== ''
    const last = index === wanted.length - 1
    return glob && last ? actual.startsWith(segment) : actual === segment
  })
}

/** Vault's order of precedence between patterns that match the same path. */
function bySpecificity(left: string, right: string): number {
  return (
    firstWildcard(right) - firstWildcard(left) ||
    Number(left.endsWith('*')) - Number(right.endsWith('*')) ||
    plusSegments(left) - plusSegments(right) ||
    right.length - left.length ||
    (left < right ? 1 : -1)
  )
}

function firstWildcard(pattern: string): number {
  const at = pattern.search(/(?<=^|\/)\+(?=\/|$)|\*$/)
  return at === -1 ? pattern.length + 1_000_000 : at
}

function plusSegments(pattern: string): number {
  return pattern.split('/').filter((segment) => segment === '+').length
}
