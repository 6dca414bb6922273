import {
  makeBatches,
  MayflyError,
  subjectOf,
  type NewTask,
  type Task,
  type TaskStore,
  type VerifiedToken,
} from '@mayfly/core'
import { z } from 'zod'

import type { Database, Session } from './database.ts'
import { endLeasesOfTask } from './lease-endings.ts'
import { TASK_COLUMNS, taskOf } from './task-row.ts'

const LOCK_KEY = {
  name: 'lock_task_key',
  text: 'SELECT pg_advisory_xact_lock(19783, hashtext($1))',
}

const FIND_KEY = {
  name: 'find_task_key',
  text: `SELECT request_sha256 AS "requestSha256", task_id AS "taskId" FROM idempotency_keys
           WHERE scope = $1 AND key = $2`,
}

const ADD_KEY = {
  name: 'add_task_key',
  text: 'INSERT INTO idempotency_keys (scope, key, request_sha256, task_id) VALUES ($1, $2, $3, $4)',
}

const OPEN = {
  name: 'open_task',
  text: `
    WITH task AS (
      INSERT INTO tasks (id, agent, owner, environment, issuer, subject, claims, intent,
          declarations, opened_at, not_after)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now(), now() + make_interval(secs => $10))
        RETURNING *
    ), event AS (
      INSERT INTO audit_events (type, subject, agent, task_id, data)
        SELECT 'task.opened', $11, agent, id, jsonb_build_object('intent', intent,
          'declarations', declarations, 'notAfter', not_after, 'tokenId', $12::text) FROM task
    )
    SELECT ${TASK_COLUMNS} FROM task`,
}

// Waits for another session that is using the same token, and then finds it used.
const USE_TOKEN = {
  name: 'use_token',
  text: `INSERT INTO token_uses (issuer, token_id, task_id, expires_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (issuer, token_id) DO UPDATE SET expires_at = token_uses.expires_at
           RETURNING task_id AS "taskId", (xmax = 0) AS fresh`,
}

const RENEW = {
  name: 'renew_task',
  text: `
    WITH task AS (
      UPDATE tasks SET claims = $4
        WHERE id = $1 AND issuer = $2 AND subject = $3 AND closed_at IS NULL AND not_after > now()
        RETURNING *
    ), event AS (
      INSERT INTO audit_events (type, subject, agent, task_id, data)
        SELECT 'task.renewed', $5, agent, id, jsonb_build_object('tokenId', $6::text) FROM task
    )
    SELECT ${TASK_COLUMNS} FROM task`,
}

const CLOSE = {
  name: 'close_task',
  text: `
    WITH task AS (
      UPDATE tasks SET closed_at = now(), close_reason = $2 WHERE id = $1 AND closed_at IS NULL
        RETURNING *
    ), event AS (
      INSERT INTO audit_events (type, subject, agent, task_id, data)
        SELECT 'task.closed', issuer || '#' || subject, agent, id,
          jsonb_build_object('reason', close_reason) FROM task
    )
    SELECT ${TASK_COLUMNS} FROM task`,
}

const FIND = { name: 'find_task', text: `SELECT ${TASK_COLUMNS} FROM tasks WHERE id = ANY ($1)` }

const OVERDUE = {
  name: 'overdue_tasks',
  text: `SELECT id FROM tasks WHERE closed_at IS NULL AND not_after <= now()
           ORDER BY not_after LIMIT $1`,
}

const keySchema = z.object({ requestSha256: z.string(), taskId: z.string() })
const useSchema = z.tuple([z.object({ taskId: z.string(), fresh: z.boolean() })])
const idsSchema = z.array(z.object({ id: z.string() }))

export function makeTaskStore(database: Database): TaskStore {
  return {
    open: (task) => database.transaction((session) => openTask(session, task)),
    // What comes while one look is under way is answered by the next: never by one that began before.
    find: makeBatches({
      limit: 64,
      async write(taskIds: readonly string[]) {
        const rows = await database.rows(FIND, [[...new Set(taskIds)]])
        const found = new Map(rows.map(taskOf).map((task) => [task.id, task]))
        return taskIds.map((id) => found.get(id) ?? null)
      },
    }),
    renew: (taskId, token) => database.transaction((session) => renewTask(session, taskId, token)),
    close: (taskId, reason) =>
      database.transaction(async (session) => {
        // Two statements, in this order: the second one sees every lease that was opened before the
        // first one got hold of the task (see open_lease).
        const [closed] = await session.rows(CLOSE, [taskId, reason])
        const task = closed ? taskOf(closed) : await mustFind(session, taskId)
        return { task, leaseIds: await endLeasesOfTask(session, taskId) }
      }),
    async overdue(limit) {
      return idsSchema.parse(await database.rows(OVERDUE, [limit])).map(({ id }) => id)
    },
  }
}

async function openTask(session: Session, task: NewTask): Promise<Task> {
  const existing = await findByKey(session, task)
  if (existing !== null) {
    await useToken(session, { token: task.token, taskId: existing, again: true })
    return mustFind(session, existing)
  }
  const { token } = task
  const [row] = await session.rows(OPEN, [
    task.id,
    task.agent,
    task.owner,
    task.environment,
    token.issuer,
    token.subject,
    JSON.stringify(token.claims),
    JSON.stringify(task.intent),
    JSON.stringify(task.declarations),
    task.lifetimeSeconds,
    subjectOf(token),
    token.tokenId,
  ])
  await useToken(session, { token, taskId: task.id, again: false })
  if (task.idempotency) {
    const { key, requestSha256 } = task.idempotency
    await session.rows(ADD_KEY, [subjectOf(token), key, requestSha256, task.id])
  }
  return taskOf(row)
}

/** The id of the task that the same request opened before. */
async function findByKey(session: Session, task: NewTask): Promise<string | null> {
  if (!task.idempotency) return null
  const { key, requestSha256 } = task.idempotency
  const scope = subjectOf(task.token)
  await session.rows(LOCK_KEY, [`${scope} ${key}`])
  const [row] = await session.rows(FIND_KEY, [scope, key])
  if (!row) return null
  const found = keySchema.parse(row)
  if (found.requestSha256 !== requestSha256)
    throw new MayflyError(
      'idempotency_conflict',
      'this idempotency key was used for another request',
    )
  return found.taskId
}

interface TokenUse {
  readonly token: VerifiedToken
  readonly taskId: string
  /** True when the task that used the token may show it again. */
  readonly again: boolean
}

async function useToken(session: Session, { token, taskId, again }: TokenUse): Promise<void> {
  const values = [token.issuer, token.tokenId, taskId, token.expiresAt]
  const [use] = useSchema.parse(await session.rows(USE_TOKEN, values))
  if (use.fresh || (again && use.taskId === taskId)) return
  throw new MayflyError('token_replayed', 'this workload token was used before')
}

async function renewTask(session: Session, taskId: string, token: VerifiedToken): Promise<Task> {
  const subject = subjectOf(token)
  const { issuer, claims, tokenId } = token
  const [row] = await session.rows(RENEW, [
    taskId,
    issuer,
    token.subject,
    JSON.stringify(claims),
    subject,
    tokenId,
  ])
  if (row) {
    await useToken(session, { token, taskId, again: false })
    return taskOf(row)
  }
  // Somebody else's task is as unknown as one that never was.
  const task = await mustFind(session, taskId)
  if (subjectOf(task) !== subject) throw unknownTask(taskId)
  throw new MayflyError('task_closed', 'the task is closed, or its time is up')
}

async function mustFind(session: Session, taskId: string): Promise<Task> {
  const [row] = await session.rows(FIND, [[taskId]])
  if (!row) throw unknownTask(taskId)
  return taskOf(row)
}

function unknownTask(taskId: string): MayflyError {
  return new MayflyError('task_unknown', `no task ${taskId}`)
}
