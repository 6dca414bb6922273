import {
  clockFrom,
  Secret,
  UnacceptableMintError,
  type Minted,
  type MintRequest,
} from '@mayfly/core'

import { makeAclPolicy, type AclPolicy } from './acl-policy.ts'
import { ensurePolicy } from './ensure-policy.ts'
import { sealHandle } from './handle.ts'
import type { MintParts } from './mint-parts.ts'
import { objectionsTo, readMintedToken, type MintedToken } from './minted-token.ts'
import { becomeDatabaseUser } from './mint-database-user.ts'
import { beforeMint, failedMint, type Step } from './refusal.ts'
import { aclOf, type VaultScope } from './scope.ts'

/**
 * Reading a dynamic secret with a token's last use revokes the secret together with the token, so
 * the token keeps one more that nobody is given.
 */
const USES_FOR_ONE_READ = 2

// No role sets this much; it stands for "never" where the database needs an instant.
const FOREVER_SECONDS = 10 * 365 * 86_400

export async function mintFor(
  own: MintParts,
  scope: VaultScope,
  { request, signal }: { readonly request: MintRequest; readonly signal: AbortSignal },
): Promise<Minted> {
  // Vault tells a life in seconds, so what it is counted from decides when it is taken for over.
  const parts = { ...own, clock: clockFrom(request.now ?? own.clock.now(), own.clock) }
  const policy = makeAclPolicy(aclOf(scope))
  await beforeMint(() => ensurePolicy(parts.session, policy, signal))
  const numUses = scope.kind === 'database' ? USES_FOR_ONE_READ : scope.maxUses
  const token = await createToken(parts, { request, policy, numUses, signal })
  if (scope.kind === 'database') {
    return becomeDatabaseUser(parts, scope, { token, ttlSeconds: request.ttlSeconds, signal })
  }
  const { url, namespace } = parts.settings
  return {
    ...lifeOf(parts, token),
    credential: {
      token: new Secret(token.client_token),
      address: url,
      ...(namespace === null ? {} : { namespace }),
    },
  }
}

interface Creation {
  readonly request: MintRequest
  readonly policy: AclPolicy
  readonly numUses: number
  readonly signal: AbortSignal
}

async function createToken(
  parts: MintParts,
  { request, policy, numUses, signal }: Creation,
): Promise<MintedToken> {
  const { tokenRole } = parts.settings
  const step = createStep(tokenRole)
  const { leaseId: lease, taskId: task, agent, owner, template, ttlSeconds } = request
  const ttl = `${String(ttlSeconds)}s`
  const reply = await beforeMint(() =>
    parts.session(
      {
        operation: 'write',
        path: `auth/token/create/${tokenRole}`,
        data: {
          type: 'service',
          policies: [policy.name],
          no_default_policy: true,
          renewable: false,
          ttl,
          explicit_max_ttl: ttl,
          num_uses: numUses,
          meta: { lease, task, agent, owner, template },
        },
      },
      signal,
    ),
  )
  const token = reply.answered ? readMintedToken(reply) : null
  if (token === null) throw failedMint(step, reply)
  const objections = objectionsTo(token, { policy: policy.name, ttlSeconds, numUses })
  if (objections.length > 0) {
    throw new UnacceptableMintError(
      { ...lifeOf(parts, token), credential: {} },
      `Vault minted another token than was asked for: ${objections.join('; ')}. See the token role ${tokenRole}`,
      { details: { objections } },
    )
  }
  return token
}

/** Counted from after the answer, so never too early. */
function lifeOf(
  { settings, clock }: MintParts,
  token: MintedToken,
): Pick<Minted, 'handle' | 'credentialExpiresAt'> {
  const seconds = token.lease_duration === 0 ? FOREVER_SECONDS : token.lease_duration
  const credentialExpiresAt = new Date(clock.now().getTime() + seconds * 1000)
  const revocable = token.accessor !== ''
  const handle = sealHandle(
    settings,
    revocable
      ? { by: 'accessor', accessor: token.accessor }
      : { by: 'nothing', diesAt: credentialExpiresAt.toISOString() },
  )
  return { handle, credentialExpiresAt }
}

function createStep(role: string): Step {
  return {
    doing: `create a token with the role ${role}`,
    needs: `update on auth/token/create/${role}`,
    check: `that the token role ${role} exists and allows policies mayfly-*, and the connection's namespace`,
  }
}
