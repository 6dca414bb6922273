import { Secret, type RevocationHandle } from '@mayfly/core'
import { z } from 'zod'

import { githubApiUrlSchema } from './settings.ts'

/** What it takes to revoke a token: the token, where it works, and since when. */
export interface GithubHandle {
  readonly token: Secret
  /** Kept with the token: asked elsewhere, a live token would look dead. */
  readonly apiUrl: URL
  readonly mintedAt: Date
}

const handleSchema = z.strictObject({
  token: z.string().min(1),
  apiUrl: githubApiUrlSchema,
  mintedAt: z.iso.datetime(),
})

export function writeHandle({ token, apiUrl, mintedAt }: GithubHandle): RevocationHandle {
  return new Secret(JSON.stringify({ token: token.reveal(), apiUrl: apiUrl.href, mintedAt }))
}

/** Throws a plain `Error`: handles are of our own making, and this one is not. */
export function readHandle(handle: RevocationHandle): GithubHandle {
  const parsed = handleSchema.safeParse(parseJson(handle.reveal()))
  if (!parsed.success) throw new Error('the revocation handle is not one of the GitHub provider')
  const { token, apiUrl, mintedAt } = parsed.data
  return { token: new Secret(token), apiUrl, mintedAt: new Date(mintedAt) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the parser's message would quote the handle
  }
}
