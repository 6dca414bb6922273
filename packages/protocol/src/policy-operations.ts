import type { Operation } from './operation.ts'
import { applyPolicySetRequest, applyPolicySetResponse, policySetResponse } from './policy-set.ts'
import { templateListResponse } from './template.ts'

export const policyOperations: readonly Operation[] = [
  {
    method: 'post',
    path: '/v1/policy-sets',
    operationId: 'applyPolicySet',
    summary: 'Replace the policy set as a whole, or check whether that would work',
    tokens: ['operatorToken'],
    request: {
      schema: applyPolicySetRequest,
      example: {
        resources: [
          {
            apiVersion: 'mayfly.dev/v1',
            kind: 'Owner',
            metadata: { name: 'dana@acme.example' },
            spec: { active: true },
          },
        ],
        dryRun: true,
      },
    },
    answer: { status: 200, schema: applyPolicySetResponse },
    problems: ['role_required', 'policy_set_invalid'],
  },
  {
    method: 'get',
    path: '/v1/policy-sets/current',
    operationId: 'currentPolicySet',
    summary: 'What is in force',
    tokens: ['operatorToken'],
    answer: { status: 200, schema: policySetResponse },
    problems: ['role_required'],
  },
  {
    method: 'get',
    path: '/v1/templates',
    operationId: 'listTemplates',
    summary: 'What may be asked for; a task token sees its own environment',
    tokens: ['taskToken', 'operatorToken'],
    answer: { status: 200, schema: templateListResponse },
    problems: [],
  },
]
