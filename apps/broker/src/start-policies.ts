import { readFileSync } from 'node:fs'

import type { Report } from '@mayfly/core'
import { makeResolveReference, type ResolveReference } from '@mayfly/policy'
import { assertConnection, githubTemplateProblems } from '@mayfly/providers'
import type { Logger } from '@mayfly/runtime'
import type { Store } from '@mayfly/store'

import { makeApplyPolicySet } from './apply-policy-set.ts'
import { bootstrapPolicies } from './bootstrap-policies.ts'
import type { BrokerConfig } from './config.ts'
import type { ApplyPolicySet } from './http/policy-set-routes.ts'
import { startPolicyFeed, type PolicyFeed } from './policy-feed.ts'
import { makeWebhookProblems } from './webhook-problems.ts'

export interface StartPoliciesDeps {
  readonly config: Pick<BrokerConfig, 'env' | 'bootstrapPolicies'>
  readonly store: Pick<Store, 'policySets' | 'audit'>
  readonly logger: Logger
  readonly report: Report
}

export interface Policies {
  readonly inForce: PolicyFeed
  readonly applyPolicySet: ApplyPolicySet
  /** What `env:` and `file:` references stand for on this broker. */
  readonly resolve: ResolveReference
}

/** Follows the policy sets in the database, after giving it the first one where that is wanted. */
export async function startPolicies(deps: StartPoliciesDeps): Promise<Policies> {
  const { config, store, logger, report } = deps
  const { policySets, audit } = store
  const readFile = (path: string): string => readFileSync(path, 'utf8')
  const resolve = makeResolveReference({ env: config.env, readFile })
  const inForce = await startPolicyFeed({ policySets, resolve })
  const applyPolicySet = makeApplyPolicySet({
    policySets,
    source: inForce,
    resolve,
    assertConnection: (connection) => {
      assertConnection(connection, resolve)
    },
    templateProblems: githubTemplateProblems,
    webhookProblems: makeWebhookProblems(config.env),
    audit,
    report,
  })
  try {
    const folder = config.bootstrapPolicies
    if (folder !== undefined)
      await bootstrapPolicies(folder, { policySets, applyPolicySet, logger })
  } catch (error) {
    await inForce.stop()
    throw error
  }
  return { inForce, applyPolicySet, resolve }
}
