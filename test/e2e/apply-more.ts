import type { Answer } from './call.ts'
import type { World } from './world.ts'

/** Applies the set in force with these documents besides, in place of those of the same name. */
export async function applyMore(world: World, documents: readonly Document[]): Promise<Answer> {
  const [row] = await world.sql(
    `SELECT jsonb_path_query_array(resources, '$[*].document') AS documents
       FROM policy_sets ORDER BY version DESC LIMIT 1`,
  )
  const current = row?.['documents'] as readonly Document[] // as they were applied
  const replaced = new Set(documents.map(idOf))
  const resources = [...current.filter((one) => !replaced.has(idOf(one))), ...documents]
  const token = await world.stack.tokens.person('platform')
  return world.call('POST', '/v1/policy-sets', { token, body: { resources } })
}

export interface Document {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: object
}

function idOf({ kind, metadata }: Document): string {
  return `${kind}/${metadata.name}`
}
