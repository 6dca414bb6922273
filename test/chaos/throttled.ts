import { z } from 'zod'

import { mustIssueAll, openTask } from './drive.ts'
import type { Stage } from './row.ts'
import { LONG_TTL_SECONDS } from './settings.ts'

export const RETRY_AFTER_SECONDS = 4

/** IAM names no time. The least that the product waits by itself is half of its first pause. */
const LEAST_SECONDS = { github: RETRY_AFTER_SECONDS, vault: RETRY_AFTER_SECONDS, aws: 0.5 } as const

/** The SDK asks three times within one attempt. */
const IAM_ATTEMPTS = 3

/** The runner notices a request a little after it came. */
const NOTICED_WITHIN_MS = 1_000

/** Providers that ask for patience get it, and then the credential dies all the same. */
export async function throttled(stage: Stage): Promise<void> {
  const { stack } = stage
  const { github, aws, vault } = stack.standins
  const task = await openTask(stack)
  await mustIssueAll(stack, task, LONG_TTL_SECONDS)
  const asked = { kind: 'status', status: 429, retryAfterSeconds: RETRY_AFTER_SECONDS } as const
  github.faults.next(asked, 'revoke')
  vault.fault({ path: 'auth/token/revoke-accessor', times: 2, fault: asked })
  const iam = { kind: 'error', status: 400, code: 'Throttling' } as const
  aws.faults.next({ ...iam, operation: 'GetRolePolicy', times: IAM_ATTEMPTS })

  const deletes = counted(() => github.requests().filter(({ method }) => method === 'DELETE'))
  const accessors = counted(() => vault.requests().filter((one) => one.includes(ACCESSOR)))
  await stack.client.closeTask(task.task.id, { token: task.taskToken })
  stage.mark()
  stage.afterwards(() => mustHaveWaited(stage, task.task.id))
  const [first, again] = [
    { github: Infinity, vault: Infinity },
    { github: Infinity, vault: Infinity },
  ]
  await stage.until('GitHub and Vault were asked again', () => {
    const now = Date.now()
    if (deletes() > 0) first.github = Math.min(first.github, now)
    if (deletes() > 1) again.github = Math.min(again.github, now)
    if (accessors() > 0) first.vault = Math.min(first.vault, now)
    // The database user comes with a token, so two leases are asked to wait.
    if (accessors() > 2) again.vault = Math.min(again.vault, now)
    return again.github < Infinity && again.vault < Infinity
  })
  for (const provider of ['github', 'vault'] as const) {
    if (again[provider] - first[provider] < RETRY_AFTER_SECONDS * 1000 - NOTICED_WITHIN_MS)
      throw new Error(`${provider} was asked again before its Retry-After was over`)
  }
}

const ACCESSOR = '/v1/auth/token/revoke-accessor'

/** How many there are more than there were. */
function counted(list: () => readonly unknown[]): () => number {
  const before = list().length
  return () => list().length - before
}

const attemptSchema = z.array(
  z.object({
    id: z.string(),
    provider: z.enum(['github', 'vault', 'aws']),
    throttled: z.boolean(),
    seconds: z.number().nullable(),
  }),
)

/** From the first attempt at each lease to the second, by the clock of the database. */
async function mustHaveWaited({ stack }: Stage, taskId: string): Promise<void> {
  const rows = await stack.rows(
    `SELECT l.id, l.provider,
        (SELECT data ->> 'note' LIKE 'provider_throttled:%' FROM audit_events e
          WHERE e.lease_id = l.id AND type = 'lease.revocation_failed' ORDER BY seq LIMIT 1
        ) IS TRUE AS throttled,
        extract(epoch FROM (SELECT at FROM audit_events e WHERE e.lease_id = l.id
            AND type = 'lease.revoking' ORDER BY seq OFFSET 1 LIMIT 1)
          - (SELECT at FROM audit_events e WHERE e.lease_id = l.id
            AND type = 'lease.revoking' ORDER BY seq LIMIT 1))::float AS seconds
      FROM leases l WHERE task_id = '${taskId}'`,
  )
  for (const { id, provider, throttled, seconds } of attemptSchema.parse(rows)) {
    if (!throttled) throw new Error(`${id} was not told that ${provider} throttles`)
    if (seconds === null || seconds < LEAST_SECONDS[provider])
      throw new Error(`${provider} got ${seconds?.toFixed(1) ?? 'no'} s, which is too little`)
  }
}
