import type { Json, Operator, PolicySet, PolicySource } from '@mayfly/core'
import { applyPolicySetRequest, type PolicySetBody } from '@mayfly/protocol'
import { Router } from 'express'

import { ANY_ROLE, callerOf, type Authenticate } from './authenticate.ts'
import { jsonBody } from './json-body.ts'
import { parseRequest } from './parse-request.ts'
import { routed } from './routed.ts'

/** Validates documents and puts them in force, or only validates. Throws `policy_set_invalid`. */
export type ApplyPolicySet = (input: {
  readonly documents: readonly Json[]
  readonly operator: Operator
  readonly dryRun: boolean
}) => Promise<{ readonly applied: boolean; readonly policySet: PolicySet }>

export interface PolicySetRoutesDeps {
  readonly applyPolicySet: ApplyPolicySet
  readonly policies: PolicySource
}

/** The body is read after the operator is known, because it may be large. */
const LIMIT_BYTES = 4 * 1024 * 1024

export function policySetRoutes(deps: PolicySetRoutesDeps, authenticate: Authenticate): Router {
  const router = Router()
  const mayApply = authenticate.operator(['platform'])
  const body = jsonBody({ limitBytes: LIMIT_BYTES })

  router.post('/v1/policy-sets', routed, mayApply, body, async (req, res) => {
    const { operator } = callerOf(res, 'operator')
    const { resources, dryRun = false } = parseRequest(applyPolicySetRequest, req.body)
    const outcome = await deps.applyPolicySet({ documents: resources, operator, dryRun })
    res.json({ applied: outcome.applied, policySet: policySetBody(outcome.policySet) })
  })

  router.get('/v1/policy-sets/current', routed, authenticate.operator(ANY_ROLE), (_req, res) => {
    res.json({ policySet: policySetBody(deps.policies.current()) })
  })

  return router
}

function policySetBody({ version, digest, resources }: PolicySet): PolicySetBody {
  return { version, digest, resources: resources.map(({ kind, name }) => ({ kind, name })) }
}
