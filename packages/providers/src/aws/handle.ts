import { MayflyError, Secret, type RevocationHandle } from '@mayfly/core'
import { z } from 'zod'

/** One session, by the name that we gave it. Instants are known once the mint was answered. */
export interface AwsSession {
  readonly roleArn: string
  readonly sessionName: string
  readonly minted?: AwsSessionTimes | undefined
}

export interface AwsSessionTimes {
  readonly issuedAt: Date
  /** When the session policy stops allowing anything. */
  readonly sealedAt: Date
  /** When STS ends the session. */
  readonly expiresAt: Date
}

const instant = z.iso.datetime().transform((text) => new Date(text))
const handleSchema = z.strictObject({
  v: z.literal(1),
  roleArn: z.string(),
  sessionName: z.string(),
  minted: z.strictObject({ issuedAt: instant, sealedAt: instant, expiresAt: instant }).optional(),
})

/** Nothing in it is a secret; it is one by type because other providers' handles are. */
export function writeHandle(session: AwsSession): RevocationHandle {
  return new Secret(JSON.stringify({ v: 1, ...session }))
}

export function readHandle(handle: RevocationHandle): AwsSession {
  const parsed = handleSchema.safeParse(json(handle.reveal()))
  if (!parsed.success)
    throw new MayflyError('provider_rejected', 'this revocation handle is not one of AWS')
  const { roleArn, sessionName, minted } = parsed.data
  return { roleArn, sessionName, minted }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // is refused by the schema
  }
}
