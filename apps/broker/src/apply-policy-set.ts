import {
  MayflyError,
  type AuditLog,
  type Connection,
  type Json,
  type Operator,
  type PolicySet,
  type Report,
  type Resource,
  type Webhook,
} from '@mayfly/core'
import { issuerProblems } from '@mayfly/identity'
import {
  compilePolicySet,
  digestOfResources,
  readResourceDocuments,
  type PolicySetSource,
  type ReadDocuments,
  type ResolveReference,
  type ResourceProblem,
  type SwappablePolicySource,
} from '@mayfly/policy'
import type { PolicySetStore } from '@mayfly/store'

import { compileStored } from './policy-feed.ts'
import type { ApplyPolicySet } from './http/policy-set-routes.ts'
import type { WebhookProblem } from './webhook-problems.ts'

export interface ApplyPolicySetDeps {
  readonly policySets: Pick<PolicySetStore, 'current' | 'apply'>
  readonly source: Pick<SwappablePolicySource, 'swap'>
  readonly resolve: ResolveReference
  /** Throws `policy_set_invalid` for a connection that cannot be used here. */
  readonly assertConnection: (connection: Connection) => void
  readonly webhookProblems: (webhook: Webhook) => readonly WebhookProblem[]
  readonly templateProblems: NonNullable<PolicySetSource['templateProblems']>
  readonly audit: Pick<AuditLog, 'record'>
  readonly report: Report
}

/** Validates a set as a whole and puts it in force everywhere, or changes nothing (R46). */
export function makeApplyPolicySet(deps: ApplyPolicySetDeps): ApplyPolicySet {
  return async ({ documents, operator, dryRun }) => {
    const candidate = await validated(deps, documents).catch(async (error: unknown) => {
      if (!dryRun) await recordRefusal(deps, operator, error)
      throw error
    })
    if (dryRun) return { applied: false, policySet: candidate }
    const { applied, policySet: stored } = await deps.policySets.apply({
      documents,
      digest: candidate.digest,
      appliedBy: `${operator.issuer}#${operator.subject}`,
    })
    const policySet = compileStored(stored, deps.resolve)
    // The subscription would do it within a second; whoever applied a set expects it to hold now.
    deps.source.swap(policySet)
    return { applied, policySet }
  }
}

async function validated(deps: ApplyPolicySetDeps, documents: readonly Json[]): Promise<PolicySet> {
  const { resources, ...found } = readResourceDocuments(documents)
  const digest = digestOfResources(resources)
  const current = await deps.policySets.current()
  const unchanged = current?.digest === digest
  return compilePolicySet({
    version: (current?.version ?? 0) + (unchanged ? 0 : 1),
    digest,
    resources,
    found: { ...found, problems: [...found.problems, ...governanceProblems(resources, found)] },
    resolve: deps.resolve,
    issuerProblems,
    assertConnection: deps.assertConnection,
    webhookProblems: deps.webhookProblems,
    templateProblems: deps.templateProblems,
  })
}

/** A set that nobody could replace would have to be undone in the database. */
function governanceProblems(
  resources: readonly Resource[],
  { unread }: Pick<ReadDocuments, 'unread'>,
): readonly ResourceProblem[] {
  const bindings = resources.filter((resource) => resource.kind === 'RoleBinding')
  if (bindings.some(({ role, subjects }) => role === 'platform' && subjects.length > 0)) return []
  if ([...unread].some((name) => name.startsWith('RoleBinding/'))) return []
  const message = 'none gives anybody the role platform, so nobody could apply another set'
  return [{ resource: 'RoleBinding', path: '', message }]
}

async function recordRefusal(
  { audit, report }: ApplyPolicySetDeps,
  operator: Operator,
  error: unknown,
): Promise<void> {
  if (!(error instanceof MayflyError) || error.code !== 'policy_set_invalid') return
  const subject = `${operator.issuer}#${operator.subject}`
  await audit
    .record({ type: 'policy_set.refused', subject, data: { code: error.code } })
    .catch((failure: unknown) => {
      report('a refused policy set could not be recorded', failure)
    })
}
