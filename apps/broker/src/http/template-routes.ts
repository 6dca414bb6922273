import {
  MayflyError,
  type CompiledTemplate,
  type ParameterSchema,
  type PolicySource,
  type TaskStore,
} from '@mayfly/core'
import type { TemplateBody } from '@mayfly/protocol'
import { Router } from 'express'

import { ANY_ROLE, callerOf, type Authenticate } from './authenticate.ts'
import { routed } from './routed.ts'

export interface TemplateRoutesDeps {
  readonly policies: PolicySource
  readonly tasks: Pick<TaskStore, 'find'>
}

export function templateRoutes(deps: TemplateRoutesDeps, authenticate: Authenticate): Router {
  const router = Router()

  router.get('/v1/templates', routed, authenticate.taskOrOperator(ANY_ROLE), async (_req, res) => {
    const caller = callerOf(res, 'task', 'operator')
    const environment = caller.kind === 'task' ? await environmentOf(caller.taskId) : null
    const { version, templates } = deps.policies.current()
    const visible = [...templates.values()].filter(
      ({ template }) => environment === null || template.environment === environment,
    )
    res.json({ policySetVersion: version, templates: visible.map(templateBody) })
  })

  async function environmentOf(taskId: string): Promise<string> {
    const task = await deps.tasks.find(taskId)
    if (task) return task.environment
    throw new MayflyError('task_unknown', 'there is no such task, or it is not yours')
  }

  return router
}

function templateBody({ template, version }: CompiledTemplate): TemplateBody {
  return {
    name: template.name,
    version,
    owner: template.owner,
    environment: template.environment,
    risk: template.risk,
    provider: template.provider,
    reviewBy: template.reviewBy.toISOString(),
    parameters: Object.fromEntries(
      Object.entries(template.parameters).map(([name, schema]) => [name, parameterBody(schema)]),
    ),
    actions: Object.entries(template.actions).map(([name, { maxTtlSeconds }]) => ({
      name,
      ...(maxTtlSeconds !== undefined && { maxTtlSeconds }),
    })),
    ttl: { ...template.ttl },
  }
}

function parameterBody(schema: ParameterSchema): TemplateBody['parameters'][string] {
  return 'enum' in schema ? { ...schema, enum: [...schema.enum] } : { ...schema }
}
