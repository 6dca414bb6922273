import {
  AssumeRoleCommand,
  type AssumeRoleCommandOutput,
  type STSClient,
} from '@aws-sdk/client-sts'
import {
  MintError,
  Secret,
  UnacceptableMintError,
  type Clock,
  type Minted,
  type MintRequest,
} from '@mayfly/core'
import { z } from 'zod'

import { startDeadline } from '../deadline.ts'
import { mintError, readFailure } from './failure.ts'
import { writeHandle } from './handle.ts'
import type { AwsScope } from './scope.ts'
import { compileSessionPolicy } from './session-policy.ts'
import type { AwsSettings } from './settings.ts'

export interface AwsMintDeps {
  readonly sts: STSClient
  readonly settings: AwsSettings
  readonly clock: Clock
  readonly timeoutMs: number
}

/** How far AWS's clock may differ from ours before an expiry counts as not what was asked for. */
const CLOCK_TOLERANCE_MS = 60_000
const NAME = /^(?!aws:)[\w+=,.@-]{2,64}$/
const TAG_VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u

const answerSchema = z.object({
  Credentials: z.object({
    AccessKeyId: z.string().min(1),
    SecretAccessKey: z.string().min(1),
    SessionToken: z.string().min(1),
    Expiration: z.date(),
  }),
  AssumedRoleUser: z.object({ Arn: z.string() }),
  SourceIdentity: z.string().optional(),
})
type Answer = z.infer<typeof answerSchema>

interface Wanted {
  readonly scope: AwsScope
  readonly request: MintRequest
  readonly sessionSeconds: number
}

/** Assumes the scope's role for one lease. */
export async function mintSession(
  deps: AwsMintDeps,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<Minted> {
  const { scope, request, sessionSeconds } = wanted
  const sealedAt = new Date(Math.floor(request.expiresAt.getTime() / 1000) * 1000)
  const Policy = compileSessionPolicy(scope, { sealedAt, sessionSeconds })
  const names = checkNames(request)
  const command = new AssumeRoleCommand({
    RoleArn: scope.roleArn,
    ...names,
    DurationSeconds: sessionSeconds,
    Policy,
    ...(scope.policyArns.length > 0
      ? { PolicyArns: scope.policyArns.map((arn) => ({ arn })) }
      : {}),
    ...(deps.settings.externalId === undefined ? {} : { ExternalId: deps.settings.externalId }),
  })
  const sentAt = request.now ?? deps.clock.now()
  const answer = await send(deps, command, { roleArn: scope.roleArn, signal })
  const minted = toMinted(deps, answer, { ...wanted, sealedAt })
  const problem = unacceptable(answer, wanted, sentAt)
  if (problem !== null) throw new UnacceptableMintError(minted, `AWS minted ${problem}`)
  return minted
}

/** R74: refused here rather than by AWS, and never rewritten into something that AWS would take. */
function checkNames({ leaseId, owner, taskId, agent, template }: MintRequest) {
  const tags = { 'mayfly:task': taskId, 'mayfly:agent': agent, 'mayfly:template': template }
  const bad = [
    ...(NAME.test(leaseId) ? [] : ['lease id']),
    ...(NAME.test(owner) ? [] : ['owner']),
    ...Object.entries(tags).flatMap(([key, value]) => (TAG_VALUE.test(value) ? [] : [key])),
  ]
  if (bad.length > 0)
    throw new MintError(
      'none',
      'scope_invalid',
      `AWS takes no such ${bad.join(', ')} in a session`,
      {
        details: { reason: 'name_invalid', fields: bad },
      },
    )
  return {
    RoleSessionName: leaseId,
    SourceIdentity: owner,
    Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
  }
}

async function send(
  { sts, timeoutMs }: AwsMintDeps,
  command: AssumeRoleCommand,
  { roleArn, signal }: { roleArn: string; signal: AbortSignal },
): Promise<Answer> {
  if (signal.aborted)
    throw new MintError(
      'none',
      'provider_unavailable',
      'the mint was given up before it was sent',
      { retryable: true },
    )
  const deadline = startDeadline(signal, timeoutMs)
  const output = await sts
    .send(command, { abortSignal: deadline.signal })
    .catch((error: unknown): AssumeRoleCommandOutput => {
      throw mintError(readFailure(error), roleArn)
    })
    .finally(deadline.stop)
  const parsed = answerSchema.safeParse(output)
  if (parsed.success) return parsed.data
  throw new MintError('unknown', 'provider_unavailable', 'AWS gave no usable answer', {
    retryable: true,
    details: { reason: 'no_usable_answer' },
  })
}

function toMinted(
  { settings }: AwsMintDeps,
  { Credentials }: Answer,
  { scope, request, sessionSeconds, sealedAt }: Wanted & { readonly sealedAt: Date },
): Minted {
  const expiresAt = Credentials.Expiration
  const issuedAt = new Date(expiresAt.getTime() - sessionSeconds * 1000)
  return {
    credential: {
      accessKeyId: new Secret(Credentials.AccessKeyId),
      secretAccessKey: new Secret(Credentials.SecretAccessKey),
      sessionToken: new Secret(Credentials.SessionToken),
      region: settings.region,
    },
    credentialExpiresAt: expiresAt,
    handle: writeHandle({
      roleArn: scope.roleArn,
      sessionName: request.leaseId,
      minted: { issuedAt, sealedAt, expiresAt },
    }),
  }
}

/** What is wrong with the session, or null. */
function unacceptable(
  answer: Answer,
  { scope, request, sessionSeconds }: Wanted,
  sentAt: Date,
): string | null {
  const latest = sentAt.getTime() + sessionSeconds * 1000 + CLOCK_TOLERANCE_MS
  if (answer.Credentials.Expiration.getTime() > latest)
    return 'a session that lives longer than was asked for'
  if (answer.AssumedRoleUser.Arn !== sessionArn(scope.roleArn, request.leaseId))
    return 'a session of another role or name'
  if (answer.SourceIdentity !== undefined && answer.SourceIdentity !== request.owner)
    return 'a session with another source identity'
  return null
}

/** A role's path is not part of its sessions' ARNs. */
function sessionArn(roleArn: string, sessionName: string): string {
  const [, partition = '', , , account = ''] = roleArn.split(':')
  return `arn:${partition}:sts::${account}:assumed-role/${roleArn.split('/').at(-1) ?? ''}/${sessionName}`
}
