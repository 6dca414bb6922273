import { didYouMean, type Agent, type Resource, type ScopeTemplate } from '@mayfly/core'

/** A problem with a resource that parsed. */
export interface FoundProblem {
  readonly resource: Resource
  readonly path: readonly string[]
  readonly message: string
}

/** Names used twice, and names that nothing in the set has, not even what could not be read. */
export function referenceProblems(
  resources: readonly Resource[],
  unread: ReadonlySet<string>,
): readonly FoundProblem[] {
  const known = new Set([...unread, ...resources.map(({ kind, name }) => `${kind}/${name}`)])
  const seen = new Set<string>()
  return resources.flatMap((resource) => {
    const id = `${resource.kind}/${resource.name}`
    const twice = seen.has(id)
    seen.add(id)
    const missing = references(resource)
      .filter(({ target }) => !known.has(target))
      .map(({ path, target }) => {
        const [kind = ''] = target.split('/')
        const others = [...known].filter((name) => name.startsWith(`${kind}/`))
        return {
          resource,
          path,
          message: `${target} is not in the set${didYouMean(target, others)}`,
        }
      })
    return twice
      ? [{ resource, path: ['metadata', 'name'], message: 'is used twice' }, ...missing]
      : missing
  })
}

interface Reference {
  readonly path: readonly string[]
  readonly target: string
}

function references(resource: Resource): readonly Reference[] {
  switch (resource.kind) {
    case 'Agent':
      return [ownerOf(resource.owner), ...agentReferences(resource)]
    case 'ScopeTemplate':
      return [ownerOf(resource.owner), ...templateReferences(resource)]
    case 'Guardrail':
      return [ownerOf(resource.owner)]
    case 'RoleBinding':
      return [{ path: ['spec', 'issuer'], target: `Issuer/${resource.issuer}` }]
    case 'Issuer':
    case 'Owner':
    case 'Connection':
    case 'Webhook':
      return []
  }
}

function ownerOf(owner: string): Reference {
  return { path: ['metadata', 'owner'], target: `Owner/${owner}` }
}

function agentReferences({ identities }: Agent): readonly Reference[] {
  return identities.map(({ issuer }, index) => ({
    path: ['spec', 'identities', String(index), 'issuer'],
    target: `Issuer/${issuer}`,
  }))
}

function templateReferences({ connection, tests }: ScopeTemplate): readonly Reference[] {
  const subjects = tests.flatMap(({ subject }, index) => {
    const path = ['spec', 'tests', String(index), 'subject']
    const issuer = { path: [...path, 'issuer'], target: `Issuer/${subject.issuer}` }
    if (subject.agent === undefined) return [issuer]
    return [issuer, { path: [...path, 'agent'], target: `Agent/${subject.agent}` }]
  })
  return [{ path: ['spec', 'connection'], target: `Connection/${connection}` }, ...subjects]
}
