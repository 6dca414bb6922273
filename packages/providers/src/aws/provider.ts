import { MintError, type Clock, type CredentialProvider, type DeniedSessions } from '@mayfly/core'

import { makeIamClient, makeStsClient, type ResolveSecret } from './clients.ts'
import { makeDenyPolicies } from './deny-policies.ts'
import { writeHandle } from './handle.ts'
import { mintSession } from './mint.ts'
import { revokeSession } from './revoke.ts'
import { parseAwsScope, targetsOf } from './scope.ts'
import { checkPolicyFits } from './session-policy.ts'
import type { AwsSettings } from './settings.ts'
import { verifySessionDead } from './verify-dead.ts'

export interface AwsProviderOptions {
  readonly settings: AwsSettings
  readonly resolveSecret: ResolveSecret
  readonly deniedSessions: DeniedSessions
  readonly clock: Clock
  /** For one call to AWS, its retries included. */
  readonly timeoutMs: number
}

/** STS will not make a session shorter than this. */
const MIN_SESSION_SECONDS = 900

/**
 * Sessions of allow-listed roles, each bound by its own session policy, named after its lease, and
 * revoked by name (`AssumeRole` and `PutRolePolicy` in the AWS API references).
 */
export function makeAwsProvider({
  settings,
  resolveSecret,
  deniedSessions,
  clock,
  timeoutMs,
}: AwsProviderOptions): CredentialProvider {
  const minting = { sts: makeStsClient(settings, resolveSecret), settings, clock, timeoutMs }
  const policies = makeDenyPolicies(makeIamClient(settings, resolveSecret), {
    extra: settings.extraDenyPolicies,
    timeoutMs,
  })
  const lifetimeSeconds = (ttlSeconds: number) =>
    sessionSeconds(ttlSeconds, settings.maxSessionSeconds)

  return {
    name: 'aws',
    prepare(json) {
      const scope = parseAwsScope(json, settings.allowedRoles)
      checkPolicyFits(scope)
      return {
        targets: targetsOf(scope),
        lifetimeSeconds,
        handleBeforeMint: (leaseId) =>
          writeHandle({ roleArn: scope.roleArn, sessionName: leaseId }),
        mint: async (request, signal) =>
          mintSession(
            minting,
            { scope, request, sessionSeconds: lifetimeSeconds(request.ttlSeconds) },
            signal,
          ),
      }
    },
    // What is nearly over is left alone: by the caller's clock, since our own may be minutes fast.
    revoke: (handle, signal, now) =>
      revokeSession({ policies, deniedSessions, settings }, { handle, now }, signal),
    verifyDead: (handle, sent, signal) =>
      verifySessionDead({ policies, deniedSessions, settings }, { handle, sent }, signal),
  }
}

function sessionSeconds(ttlSeconds: number, maxSessionSeconds: number): number {
  if (ttlSeconds > maxSessionSeconds)
    throw new MintError(
      'none',
      'ttl_too_long',
      `an AWS session of this connection lasts ${String(maxSessionSeconds)} seconds at most`,
      {
        details: { maxSessionSeconds },
      },
    )
  return Math.max(MIN_SESSION_SECONDS, Math.ceil(ttlSeconds))
}
