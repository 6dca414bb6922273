import { CredentialText } from '@mayfly/protocol'
import { z } from 'zod'

import { brokerUrl } from './broker.ts'
import type { Terminal } from './terminal.ts'

const answer = z.looseObject({ value: z.string().min(1) })

/**
 * Asks the runner for an OIDC token, in a job with `id-token: write`. `null` elsewhere. The audience
 * is `MAYFLY_AUDIENCE`, or the broker's own address.
 */
export async function githubActionsToken(terminal: Terminal): Promise<CredentialText | null> {
  const { ACTIONS_ID_TOKEN_REQUEST_URL, ACTIONS_ID_TOKEN_REQUEST_TOKEN, MAYFLY_AUDIENCE } =
    terminal.env
  if (!ACTIONS_ID_TOKEN_REQUEST_URL || !ACTIONS_ID_TOKEN_REQUEST_TOKEN) return null
  const url = new URL(ACTIONS_ID_TOKEN_REQUEST_URL)
  url.searchParams.set('audience', MAYFLY_AUDIENCE ?? brokerUrl(terminal).origin)
  const response = await terminal.fetch(url, {
    headers: { authorization: `Bearer ${ACTIONS_ID_TOKEN_REQUEST_TOKEN}` },
    redirect: 'error',
    signal: AbortSignal.timeout(10_000),
  })
  if (!response.ok) throw new Error(`the runner gave no OIDC token (${String(response.status)})`)
  return new CredentialText(answer.parse(await response.json()).value)
}
