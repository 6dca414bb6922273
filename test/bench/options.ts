import { parseArgs } from 'node:util'

const PARTS = ['mint', 'lag', 'sweep', 'containment', 'reach', 'memory'] as const
export type Part = (typeof PARTS)[number]

export interface BenchOptions {
  readonly parts: readonly Part[]
  /** Small numbers, to see that everything works: the figures mean little. */
  readonly quick: boolean
  /** Where to write every figure as JSON. */
  readonly json: string | null
  /** A folder for a CPU profile of the broker. */
  readonly profile: string | null
}

export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      only: { type: 'string', multiple: true, default: [] },
      profile: { type: 'string' },
    },
  })
  const parts = values.only.map((name) => {
    const part = PARTS.find((known) => known === name)
    if (!part) throw new Error(`--only takes one of ${PARTS.join(', ')}`)
    return part
  })
  return {
    parts: parts.length > 0 ? parts : PARTS,
    quick: values.quick,
    json: values.json ?? null,
    profile: values.profile ?? null,
  }
}
