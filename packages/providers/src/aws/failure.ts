import { MayflyError, MintError, type MayflyErrorOptions } from '@mayfly/core'
import { z } from 'zod'

/** What a failed call to AWS means for us. */
export interface AwsFailure {
  readonly kind: 'rejected' | 'throttled' | 'unavailable'
  /** False when AWS certainly carried nothing out. */
  readonly mayHaveEffect: boolean
  readonly reason: string
  /** The AWS error code without the `Exception` that SDKs append, when AWS answered with one. */
  readonly code: string | null
  /** For the operator. Not the SDK's own error: that one can hold the whole response. */
  readonly cause: Error
}

const REASONS: Readonly<Record<string, string>> = {
  AccessDenied: 'access_denied',
  MalformedPolicyDocument: 'malformed_policy',
  PackedPolicyTooLarge: 'packed_policy_too_large',
  RegionDisabled: 'region_disabled',
  ValidationError: 'request_invalid',
  NoSuchEntity: 'not_found',
  LimitExceeded: 'limit_exceeded',
  ExpiredToken: 'broker_credentials_refused',
  InvalidClientTokenId: 'broker_credentials_refused',
  UnrecognizedClient: 'broker_credentials_refused',
  SignatureDoesNotMatch: 'broker_credentials_refused',
  IncompleteSignature: 'broker_credentials_refused',
  RequestTimeTooSkewed: 'broker_clock_wrong',
}
const THROTTLING = [
  'Throttling',
  'Throttled',
  'RequestLimitExceeded',
  'RequestThrottled',
  'TooManyRequests',
  'SlowDown',
  'PriorRequestNotComplete',
  'ConcurrentModification',
]
/** The connection was never made, so nothing was sent. */
const UNREACHED = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'CredentialsProviderError',
]

/** Reads an error of the AWS SDK. Names and codes only: messages can change, and are not ours to pass on. */
export function readFailure(error: unknown): AwsFailure {
  const { name, errno, awsCode, status, requestId } = partsOf(error)
  const known = [name, errno, awsCode, status?.toString()].filter((part) => part !== undefined)
  const code = awsCode?.replace(/Exception$/, '') ?? null
  const cause = new Error(`AWS SDK: ${known.join(' ')}, request ${requestId ?? 'unknown'}`)
  if (known.some((part) => UNREACHED.includes(part)))
    return { code, cause, kind: 'unavailable', mayHaveEffect: false, reason: 'not_reached' }
  return { code, cause, ...meaningOf(status, code) }
}

function meaningOf(
  status: number | undefined,
  code: string | null,
): Pick<AwsFailure, 'kind' | 'mayHaveEffect' | 'reason'> {
  if (status === undefined) return { kind: 'unavailable', mayHaveEffect: true, reason: 'no_answer' }
  if (status === 429 || (code !== null && THROTTLING.includes(code)))
    return { kind: 'throttled', mayHaveEffect: false, reason: 'throttled' }
  // A refusal counts only with an AWS error code: a proxy can answer 4xx to what got through.
  const refused = status >= 400 && status < 500 && code !== null && code !== 'NotFound'
  if (refused) return { kind: 'rejected', mayHaveEffect: false, reason: REASONS[code] ?? 'refused' }
  return { kind: 'unavailable', mayHaveEffect: true, reason: 'no_usable_answer' }
}

interface SdkErrorParts {
  readonly name?: string
  readonly errno?: string
  readonly awsCode?: string
  readonly status?: number
  readonly requestId?: string
}

const sdkErrorSchema = z.object({
  name: z.string().optional(),
  code: z.string().optional(),
  Code: z.string().optional(),
  $metadata: z
    .object({ httpStatusCode: z.number().optional(), requestId: z.string().optional() })
    .optional(),
})

function partsOf(error: unknown): SdkErrorParts {
  const parsed = sdkErrorSchema.safeParse(error)
  if (!parsed.success) return {}
  const { name, code: errno, Code: awsCode, $metadata } = parsed.data
  const status = $metadata?.httpStatusCode
  return {
    ...(name === undefined ? {} : { name }),
    ...(errno === undefined ? {} : { errno }),
    ...(awsCode === undefined ? {} : { awsCode }),
    ...(status === undefined ? {} : { status }),
    ...($metadata?.requestId === undefined ? {} : { requestId: $metadata.requestId }),
  }
}

const HELP: Readonly<Record<string, string>> = {
  access_denied:
    'its trust policy must let the minter assume it, tag the session and set its source identity',
  malformed_policy: 'it does not accept the session policy that the template compiles to',
  packed_policy_too_large:
    'the session policy and tags are too large once packed: ask for fewer actions',
  region_disabled: 'STS is not active in the region of the connection',
  request_invalid: 'a parameter is outside its limits, such as the longest session of the role',
  broker_credentials_refused: 'the credentials of the connection are not accepted',
  broker_clock_wrong: 'the clock of this machine is too far off',
}

/** What a failed `AssumeRole` means for the lease. */
export function mintError(failure: AwsFailure, roleArn: string): MintError {
  const effect = failure.mayHaveEffect ? 'unknown' : 'none'
  const help = HELP[failure.reason] ?? 'see the operator log'
  const told = {
    rejected: `AWS refused to assume role ${roleArn}: ${help}`,
    throttled: 'AWS asks for fewer requests',
    unavailable: 'AWS gave no usable answer',
  }[failure.kind]
  return new MintError(effect, `provider_${failure.kind}`, told, optionsOf(failure))
}

/** What a failed IAM call means for a revocation. */
export function revocationError(failure: AwsFailure, roleArn: string): MayflyError {
  const told = {
    rejected: `AWS refused the revoker on role ${roleArn} (${failure.reason})`,
    throttled: 'AWS asks for fewer requests',
    unavailable: 'AWS gave no usable answer',
  }[failure.kind]
  return new MayflyError(`provider_${failure.kind}`, told, optionsOf(failure))
}

function optionsOf({ kind, reason, cause }: AwsFailure): MayflyErrorOptions {
  return { retryable: kind !== 'rejected', details: { reason }, cause }
}
