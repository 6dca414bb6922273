import { MayflyError, Secret, type RevocationHandle } from '@mayfly/core'
import { z } from 'zod'

import type { VaultSettings } from './settings.ts'

/** Where a token lives. Asked elsewhere, a live token would look dead. */
const placeSchema = { url: z.string(), namespace: z.string().nullable() }

const handleSchema = z.discriminatedUnion('by', [
  /** The accessor, and the database user's lease where there is one. */
  z.strictObject({
    by: z.literal('accessor'),
    ...placeSchema,
    accessor: z.string().min(1),
    dynamicLease: z.string().min(1).optional(),
  }),
  /** Chosen before the mint: the token carries our lease's id in its metadata. */
  z.strictObject({ by: z.literal('lease'), ...placeSchema, lease: z.string().min(1) }),
  /** A batch token: nothing ends it but its clock. */
  z.strictObject({ by: z.literal('nothing'), ...placeSchema, diesAt: z.iso.datetime() }),
])

export type VaultHandle = z.infer<typeof handleSchema>

type WithoutPlace<Handle> = Handle extends unknown ? Omit<Handle, 'url' | 'namespace'> : never

export function sealHandle(
  { url, namespace }: VaultSettings,
  handle: WithoutPlace<VaultHandle>,
): RevocationHandle {
  return new Secret(JSON.stringify({ ...handle, url, namespace }))
}

/** Throws `provider_rejected` for a handle that this connection did not make. */
export function openHandle(settings: VaultSettings, handle: RevocationHandle): VaultHandle {
  const parsed = handleSchema.safeParse(fromJson(handle.reveal()))
  if (!parsed.success) {
    throw new MayflyError('provider_rejected', 'this revocation handle is not one of Vault')
  }
  const { url, namespace } = parsed.data
  if (url !== settings.url || namespace !== settings.namespace) {
    throw new MayflyError(
      'provider_rejected',
      'this credential was minted at another Vault or namespace: point a connection of the old name there until it has died',
      { details: { mintedAt: url, namespace } },
    )
  }
  return parsed.data
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
