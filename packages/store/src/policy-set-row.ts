import { isDeepStrictEqual } from 'node:util'

import type { Json } from '@mayfly/core'
import { z } from 'zod'

/** A set as it was applied. Immutable. */
export interface StoredPolicySet {
  readonly version: number
  readonly digest: string
  /** `{ apiVersion, kind, metadata, spec }`, each as sent. */
  readonly documents: readonly Json[]
  /** The set version in which each scope template last changed, by name. */
  readonly templateVersions: ReadonlyMap<string, number>
  readonly appliedBy: string
  readonly appliedAt: Date
}

/** A document and the set version in which it last changed. */
interface VersionedDocument {
  readonly document: Json
  readonly version: number
}

export type PolicySetRow = z.output<typeof rowSchema>

export const rowSchema = z.object({
  version: z.int(),
  digest: z.string(),
  resources: z.array(z.strictObject({ document: z.json(), version: z.int() })),
  appliedBy: z.string(),
  appliedAt: z.date(),
})

const namedSchema = z.object({ kind: z.string(), metadata: z.object({ name: z.string() }) })

export function policySetOf({ resources, ...row }: PolicySetRow): StoredPolicySet {
  const named = resources.map(({ document, version }) => ({ ...nameOf(document), version }))
  const templates = named.filter(({ kind }) => kind === 'ScopeTemplate')
  return {
    ...row,
    documents: resources.map(({ document }) => document),
    templateVersions: new Map(templates.map(({ name, version }) => [name, version])),
  }
}

/** Gives each document the version of the one it equals, or the new one. */
export function versioned(
  documents: readonly Json[],
  version: number,
  replaced: readonly VersionedDocument[],
): readonly VersionedDocument[] {
  const key = (document: Json): string => Object.values(nameOf(document)).join('/')
  const before = new Map(replaced.map((resource) => [key(resource.document), resource]))
  return documents.map((document) => {
    const same = before.get(key(document))
    const unchanged = same && isDeepStrictEqual(same.document, document)
    return { document, version: unchanged ? same.version : version }
  })
}

function nameOf(document: Json): { kind: string; name: string } {
  const { kind, metadata } = namedSchema.parse(document)
  return { kind, name: metadata.name }
}
