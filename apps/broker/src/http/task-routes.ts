import {
  MayflyError,
  subjectOf,
  type CloseTask,
  type OpenTask,
  type Task,
  type TaskStore,
  type Workload,
} from '@mayfly/core'
import type { TaskTokens } from '@mayfly/identity'
import { openTaskRequest } from '@mayfly/protocol'
import { Router, type Request, type Response } from 'express'

import { ANY_ROLE, callerOf, type Authenticate } from './authenticate.ts'
import { idempotencyOf } from './idempotency.ts'
import { parseRequest } from './parse-request.ts'
import { contextOf } from './request-context.ts'
import { routed } from './routed.ts'
import { taskBody } from './task-body.ts'

export interface TaskRoutesDeps {
  readonly openTask: OpenTask
  readonly closeTask: CloseTask
  readonly tasks: Pick<TaskStore, 'find' | 'renew'>
  readonly taskTokens: Pick<TaskTokens, 'issue'>
}

export function taskRoutes(deps: TaskRoutesDeps, authenticate: Authenticate): Router {
  const router = Router()
  const one = '/v1/tasks/:taskId'

  router.post('/v1/tasks', routed, authenticate.workload, async (req, res) => {
    const { workload } = callerOf(res, 'workload')
    const body = parseRequest(openTaskRequest, req.body)
    const caller = `${workload.agent.name} ${subjectOf(workload.token)}`
    const idempotency = idempotencyOf(req, { operation: 'openTask', caller, body })
    const task = await deps.openTask({ workload, ...body, idempotency })
    res.set('location', `/v1/tasks/${task.id}`)
    await answerWithToken(res, task, workload)
  })

  router.post(`${one}/token`, routed, authenticate.workload, async (req, res) => {
    const { workload } = callerOf(res, 'workload')
    const task = await findTask(req, res)
    if (!isOf(task, workload)) throw unknown()
    await answerWithToken(res, await deps.tasks.renew(task.id, workload.token), workload)
  })

  router.get(one, routed, authenticate.taskOrOperator(ANY_ROLE), async (req, res) => {
    assertOwn(req, res)
    res.json({ task: taskBody(await findTask(req, res)) })
  })

  const mayClose = authenticate.taskOrOperator(['responder', 'platform'])
  router.post(`${one}/close`, routed, mayClose, async (req, res) => {
    const caller = assertOwn(req, res)
    const { id } = await findTask(req, res)
    const reason = caller.kind === 'operator' ? 'operator' : 'holder'
    const { task, leaseIds } = await deps.closeTask(id, reason)
    res.json({ task: taskBody(task), leaseIds: [...leaseIds] })
  })

  async function answerWithToken(res: Response, task: Task, workload: Workload): Promise<void> {
    contextOf(res).taskId = task.id
    const { token, expiresAt } = await deps.taskTokens.issue(task, workload)
    res.status(201).json({
      task: taskBody(task),
      taskToken: token.reveal(),
      taskTokenExpiresAt: expiresAt.toISOString(),
    })
  }

  async function findTask(req: Request, res: Response): Promise<Task> {
    const task = await deps.tasks.find(taskIdOf(req))
    if (!task) throw unknown()
    contextOf(res).taskId = task.id
    return task
  }

  return router
}

/** A task token speaks for its own task alone; of others it does not even learn that they exist. */
function assertOwn(req: Request, res: Response): ReturnType<typeof callerOf<'task' | 'operator'>> {
  const caller = callerOf(res, 'task', 'operator')
  if (caller.kind === 'task' && caller.taskId !== taskIdOf(req)) throw unknown()
  return caller
}

function isOf(task: Task, { agent, token }: Workload): boolean {
  return task.agent === agent.name && subjectOf(task) === subjectOf(token)
}

function taskIdOf(req: Request): string {
  const id = req.params['taskId']
  return typeof id === 'string' ? id : ''
}

function unknown(): MayflyError {
  return new MayflyError('task_unknown', 'there is no such task, or it is not yours')
}
