import { denyDocument } from './deny-policy.ts'

/** A policy with room for the names of sessions. */
export interface Place {
  /** What it denies today. */
  readonly names: readonly string[]
  readonly maxCharacters: number
}

export interface Placement {
  /** What each place must deny, in the order of the places. */
  readonly names: readonly (readonly string[])[]
  /** What found no room. */
  readonly left: readonly string[]
}

/**
 * Spreads sessions over places. One that is denied somewhere stays where it is, since moving it
 * would let it work while one policy has lost it and the other is not in force yet.
 */
export function placeSessions(places: readonly Place[], wanted: readonly string[]): Placement {
  const placed = new Set<string>()
  const kept = places.map(({ names }) => names.filter((name) => wanted.includes(name)))
  kept.flat().forEach((name) => placed.add(name))
  const waiting = [...new Set(wanted)].filter((name) => !placed.has(name))
  const names = places.map(({ maxCharacters }, index) => {
    const stay = kept[index] ?? []
    let free = maxCharacters - denyDocument(stay).length
    const next = waiting.findIndex((name) => (free -= entryLength(name)) < 0)
    return [...stay, ...waiting.splice(0, next === -1 ? waiting.length : next)]
  })
  return { names, left: waiting }
}

/** `"*:name",` */
function entryLength(name: string): number {
  return name.length + 5
}
