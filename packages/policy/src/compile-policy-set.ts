import type {
  Agent,
  CompiledTemplate,
  Connection,
  Guardrail,
  Issuer,
  Owner,
  PolicySet,
  Resource,
  RoleBinding,
  ScopeTemplate,
} from '@mayfly/core'

import { BUILTIN_GUARDRAILS } from './builtin-guardrails.ts'
import { idProblems, readPolicies, type NamedPolicy } from './cedar-policies.ts'
import { cedarSchema, claimTypes } from './cedar-schema.ts'
import { compileTemplate, validationProblems } from './compile-template.ts'
import { installationProblems, type InstallationChecks } from './installation-problems.ts'
import { refuseProblems, type ResourceProblem } from './problem.ts'
import type { ReadDocuments } from './resource-documents.ts'
import { resolveIssuer } from './resolve-issuer.ts'
import type { ResolveReference } from './resolve-references.ts'
import { templateTestProblems } from './template-tests.ts'

export interface PolicySetSource extends InstallationChecks {
  readonly version: number
  /** From {@link digestOfResources}. */
  readonly digest: string
  /** As parsed: references stay in place. */
  readonly resources: readonly Resource[]
  /** The set version in which each template last changed; this one where a name is missing. */
  readonly versions?: ReadonlyMap<string, number>
  /** What `env:` and `file:` references of issuers stand for here. Without it, none may occur. */
  readonly resolve?: ResolveReference
  /** What makes an issuer unsafe to trust: `issuerProblems` of the identity package. */
  readonly issuerProblems?: (issuer: Issuer) => readonly string[]
  /** What was found wrong before; refused together with the rest, so that one look tells all. */
  readonly found?: Pick<ReadDocuments, 'problems' | 'unread'>
}

/**
 * Compiles a set and runs the tests of its templates. Throws `policy_set_invalid` with everything
 * that is wrong; whatever was compiled before stays as it was.
 */
export function compilePolicySet(source: PolicySetSource): PolicySet {
  const problems: ResourceProblem[] = [...(source.found?.problems ?? [])]
  const { version, digest, resources } = source
  const issuers = compileIssuers(source, problems)
  const { claims, conflicts } = claimTypes(issuers)
  for (const { issuer, claim } of conflicts) {
    const message = 'another Issuer gives this claim another type'
    problems.push({ resource: `Issuer/${issuer.name}`, path: `spec.claims.${claim}`, message })
  }
  problems.push(...installationProblems(source, resources))
  const connections = byName<Connection>(ofKind(resources, 'Connection'))
  const templates = claimsAreKnown(source)
    ? compileTemplates(source, { issuers, claims, connections, problems })
    : new Map<string, CompiledTemplate>()
  const policySet: PolicySet = {
    version,
    digest,
    resources,
    issuers,
    agents: ofKind<Agent>(resources, 'Agent'),
    owners: byName<Owner>(ofKind(resources, 'Owner')),
    connections,
    roleBindings: ofKind<RoleBinding>(resources, 'RoleBinding'),
    templates,
  }
  // A test of a template that did not compile, or under guardrails that did not, says nothing.
  if (problems.length === 0) problems.push(...templateTestProblems(policySet))
  refuseProblems(problems)
  return policySet
}

/** An Issuer that could not be read might have listed any claim, so policies are not judged. */
function claimsAreKnown({ found }: PolicySetSource): boolean {
  return ![...(found?.unread ?? [])].some((name) => name.startsWith('Issuer/'))
}

interface Compiling {
  readonly issuers: readonly Issuer[]
  readonly claims: Parameters<typeof cedarSchema>[0]['claims']
  readonly connections: ReadonlyMap<string, Connection>
  readonly problems: ResourceProblem[]
}

function compileTemplates(
  { version, versions, resources }: PolicySetSource,
  { issuers, claims, connections, problems }: Compiling,
): ReadonlyMap<string, CompiledTemplate> {
  const guardrails = compileGuardrails(ofKind(resources, 'Guardrail'), claims, problems)
  const templates = new Map<string, CompiledTemplate>()
  for (const template of ofKind<ScopeTemplate>(resources, 'ScopeTemplate')) {
    const result = compileTemplate({
      template,
      version: versions?.get(template.name) ?? version,
      claims,
      guardrails,
      targetEnvironment: connections.get(template.connection)?.environment ?? '',
      issuers: byName(issuers),
    })
    if ('compiled' in result) templates.set(template.name, result.compiled)
    else problems.push(...inPolicy(template, result.problems))
  }
  return templates
}

function compileIssuers(source: PolicySetSource, problems: ResourceProblem[]): readonly Issuer[] {
  return ofKind<Issuer>(source.resources, 'Issuer').map((written) => {
    const resource = `Issuer/${written.name}`
    const { issuer, unresolved } = resolveIssuer(written, source.resolve)
    for (const { path, message } of unresolved) problems.push({ resource, path, message })
    if (unresolved.length > 0) return issuer
    for (const message of source.issuerProblems?.(issuer) ?? []) {
      problems.push({ resource, path: 'spec', message })
    }
    return issuer
  })
}

/** Guardrails must also hold for themselves, so that a set without templates is checked too. */
function compileGuardrails(
  guardrails: readonly Guardrail[],
  claims: Parameters<typeof cedarSchema>[0]['claims'],
  problems: ResourceProblem[],
): readonly NamedPolicy[] {
  const all = [...readPolicies(BUILTIN_GUARDRAILS).policies]
  const schema = cedarSchema({ claims, template: { parameters: {}, claims: [] } })
  for (const guardrail of guardrails) {
    const { policies, problems: unread } = readPolicies(guardrail.policy)
    const permits = policies.filter(({ effect }) => effect === 'permit')
    const program = { schema, policies: Object.fromEntries(policies.map((p) => [p.id, p.text])) }
    const found = [
      ...unread,
      ...permits.map(({ id }) => `${id} permits; a guardrail only forbids`),
      ...idProblems(
        policies.map(({ id }) => id),
        new Set(all.map(({ id }) => id)),
      ),
      ...validationProblems(program),
    ]
    problems.push(...inPolicy(guardrail, found))
    if (found.length === 0) all.push(...policies)
  }
  return all
}

function inPolicy(
  { kind, name }: Guardrail | ScopeTemplate,
  messages: readonly string[],
): readonly ResourceProblem[] {
  return messages.map((message) => ({
    resource: `${kind}/${name}`,
    path: 'spec.policy',
    message,
  }))
}

function ofKind<Kind extends Resource>(
  resources: readonly Resource[],
  kind: Kind['kind'],
): readonly Kind[] {
  return resources.filter((resource): resource is Kind => resource.kind === kind)
}

function byName<Kind extends { readonly name: string }>(
  items: readonly Kind[],
): ReadonlyMap<string, Kind> {
  return new Map(items.map((item) => [item.name, item]))
}
