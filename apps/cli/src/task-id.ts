import type { CredentialText } from '@mayfly/protocol'
import { taskId } from '@mayfly/protocol'
import { z } from 'zod'

import { UsageError } from './usage-error.ts'

const claims = z.looseObject({ txn: taskId })

/** Which task a task token is for. Unverified: the broker checks the token, not we. */
export function taskIdOf(token: CredentialText): string {
  const payload = token.reveal().split('.')[1] ?? ''
  const parsed = claims.safeParse(parse(Buffer.from(payload, 'base64url').toString('utf8')))
  if (parsed.success) return parsed.data.txn
  throw new UsageError('the task token is not a task token')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
