import { MayflyError } from './errors.ts'
import type { Idempotency } from './idempotency.ts'
import type { Workload } from './identity.ts'
import type { Json } from './json.ts'
import type { NewId } from './new-id.ts'
import type { PolicySet, PolicySource } from './policy-set.ts'
import type { TaskStore } from './task-store.ts'
import type { Declaration, Intent, Task } from './task.ts'

export interface OpenTaskDeps {
  readonly policies: PolicySource
  /** Validates what the task wants to be allowed to ask for, against the set in force. */
  readonly declare: (
    policySet: PolicySet,
    workload: Workload,
    declarations: readonly DeclarationRequest[],
  ) => readonly Declaration[]
  readonly tasks: Pick<TaskStore, 'open'>
  readonly newId: NewId
  readonly defaultLifetimeSeconds: number
  readonly maxLifetimeSeconds: number
}

/** A declaration as it was sent: parameters not yet validated. */
export interface DeclarationRequest {
  readonly template: string
  readonly actions: readonly string[]
  readonly parameters: Readonly<Record<string, Json>>
}

export interface OpenTaskInput {
  readonly workload: Workload
  readonly intent: Intent
  readonly declarations: readonly DeclarationRequest[]
  readonly ttlSeconds?: number
  readonly idempotency: Idempotency | null
}

export type OpenTask = (input: OpenTaskInput) => Promise<Task>

/** Fixes what a task may ask for, before anybody acts on a model's word (R16, R17). */
export function makeOpenTask(deps: OpenTaskDeps): OpenTask {
  return async ({ workload, intent, declarations, ttlSeconds, idempotency }) => {
    const lifetimeSeconds = ttlSeconds ?? deps.defaultLifetimeSeconds
    if (!Number.isSafeInteger(lifetimeSeconds) || lifetimeSeconds < 1) {
      throw new MayflyError('ttl_invalid', 'ttlSeconds is a whole number of seconds, 1 or more')
    }
    if (lifetimeSeconds > deps.maxLifetimeSeconds) {
      throw new MayflyError(
        'ttl_too_long',
        `a task may last ${String(deps.maxLifetimeSeconds)} seconds at most`,
        { details: { maxSeconds: deps.maxLifetimeSeconds } },
      )
    }
    const policySet = deps.policies.current()
    return deps.tasks.open({
      id: deps.newId('tsk'),
      token: workload.token,
      agent: workload.agent.name,
      owner: workload.agent.owner,
      environment: workload.agent.environment,
      intent,
      declarations: deps.declare(policySet, workload, declarations),
      lifetimeSeconds,
      idempotency,
    })
  }
}
