import { z } from 'zod'

import type { VaultReply } from './api.ts'
import { failed, says, type Step } from './refusal.ts'
import { isUnknownAccessor } from './revoke-accessor.ts'
import type { VaultSession } from './session.ts'

const keysSchema = z.object({ data: z.object({ keys: z.array(z.string()) }) })
const noErrorsSchema = z.object({ errors: z.array(z.string()).length(0) })
const metaSchema = z.object({
  data: z.object({ meta: z.record(z.string(), z.string()).nullish() }),
})

/** At once, so that a Vault with thousands of tokens is searched within one revocation attempt. */
const LOOKUPS_AT_ONCE = 8

/**
 * Accessors of the tokens that carry our lease's id: the way to a token whose answer was lost. It
 * looks at every token there is, so it needs `sudo` to list them and is for that case alone.
 */
export async function findByLease(
  session: VaultSession,
  leaseId: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const queue = [...(await listAccessors(session, signal))]
  const found: string[] = []
  async function search(): Promise<void> {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const accessor = next
      const data = { accessor }
      const path = 'auth/token/lookup-accessor'
      const reply = await session({ operation: 'write', path, data }, signal)
      if (leaseIn(reply) === leaseId) found.push(accessor)
    }
  }
  await Promise.all(Array.from({ length: LOOKUPS_AT_ONCE }, search))
  return found
}

async function listAccessors(session: VaultSession, signal: AbortSignal) {
  const reply = await session({ operation: 'list', path: 'auth/token/accessors' }, signal)
  const body = reply.answered ? reply.body : undefined
  const list = keysSchema.safeParse(body)
  if (reply.answered && reply.status === 200 && list.success) return list.data.data.keys
  // How Vault says that a list is empty.
  if (reply.answered && reply.status === 404 && noErrorsSchema.safeParse(body).success) return []
  throw failed(LIST, reply)
}

function leaseIn(reply: VaultReply): string | undefined {
  if (isGone(reply)) return undefined
  const token = metaSchema.safeParse(reply.answered ? reply.body : undefined)
  if (!reply.answered || reply.status !== 200 || !token.success)
    throw failed(LOOKUP_ACCESSOR, reply)
  return token.data.data.meta?.['lease']
}

/**
 * Died since it was listed. `bad token` comes with a 403 when only the accessor is left of it; a
 * 403 about the broker reads otherwise, and must not make every token look gone.
 */
function isGone(reply: VaultReply): boolean {
  if (!reply.answered) return false
  return isUnknownAccessor(reply) || (reply.status === 403 && says(reply, 'bad token'))
}

const LIST: Step = {
  doing: 'list token accessors, without which a token whose answer was lost cannot be found',
  needs: 'list and sudo on auth/token/accessors/',
  check: "the connection's namespace",
}

export const LOOKUP_ACCESSOR: Step = {
  doing: 'look up a token by its accessor',
  needs: 'update on auth/token/lookup-accessor',
  check: "the connection's namespace",
}
