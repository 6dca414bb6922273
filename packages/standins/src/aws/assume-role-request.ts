import { deflateRawSync } from 'node:zlib'

import { AwsError } from './aws-error.ts'

const NAME = /^[\w+=,.@-]{2,64}$/
const TAG = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u
/** AWS does not publish its packed limit; this one is of the same order. */
const PACKED_LIMIT_BYTES = 1024

export interface AssumeRoleRequest {
  readonly roleArn: string
  readonly sessionName: string
  readonly durationSeconds: number
  readonly policy: string | undefined
  readonly policyArns: readonly string[]
  readonly tags: ReadonlyMap<string, string>
  readonly sourceIdentity: string | undefined
  readonly externalId: string | undefined
  /** Session policies and tags, in per cent of what a session can carry. */
  readonly packedPolicySize: number
}

/** Reads AssumeRole's parameters within the limits of the API reference. */
export function readAssumeRole(params: URLSearchParams): AssumeRoleRequest {
  const text = (name: string) => params.get(name) ?? undefined
  const policy = text('Policy')
  const policyArns = members(params, 'PolicyArns').map((member) => member.get('arn') ?? '')
  const request: Unpacked = {
    roleArn: text('RoleArn') ?? '',
    sessionName: text('RoleSessionName') ?? '',
    durationSeconds: Number(text('DurationSeconds') ?? 3600),
    policy,
    policyArns,
    tags: readTags(params),
    sourceIdentity: text('SourceIdentity'),
    externalId: text('ExternalId'),
  }
  checkNames(request)
  checkSizes(request)
  return { ...request, packedPolicySize: pack(request) }
}

type Unpacked = Omit<AssumeRoleRequest, 'packedPolicySize'>

function checkNames({ roleArn, sessionName, sourceIdentity, externalId }: Unpacked): void {
  check(/^arn:aws:iam::\d{12}:role\/.+$/.test(roleArn), 'roleArn')
  check(NAME.test(sessionName), 'roleSessionName')
  if (sourceIdentity !== undefined)
    check(NAME.test(sourceIdentity) && !sourceIdentity.startsWith('aws:'), 'sourceIdentity')
  if (externalId !== undefined) check(/^[\w+=,.@:/-]{2,1224}$/.test(externalId), 'externalId')
}

function checkSizes({ durationSeconds, policy, policyArns }: Unpacked): void {
  const whole = Number.isInteger(durationSeconds)
  check(whole && durationSeconds >= 900 && durationSeconds <= 43_200, 'durationSeconds')
  check(policy !== '' && (policy ?? '').length + policyArns.join('').length <= 2048, 'policy')
  check(policyArns.length <= 10, 'policyArns')
}

function readTags(params: URLSearchParams): Map<string, string> {
  const pairs = members(params, 'Tags').map(
    (member) => [member.get('Key') ?? '', member.get('Value') ?? ''] as const,
  )
  const keys = new Set(pairs.map(([key]) => key.toLowerCase()))
  check(pairs.length <= 50 && keys.size === pairs.length, 'tags')
  for (const [key, value] of pairs) {
    check(
      key.length >= 1 &&
        key.length <= 128 &&
        TAG.test(key) &&
        !key.toLowerCase().startsWith('aws:'),
      'tags.key',
    )
    check(value.length <= 256 && TAG.test(value), 'tags.value')
  }
  return new Map(pairs)
}

function pack({
  policy,
  policyArns,
  tags,
}: Pick<AssumeRoleRequest, 'policy' | 'policyArns' | 'tags'>): number {
  const packed = deflateRawSync(JSON.stringify([policy, policyArns, [...tags]])).length
  const percent = Math.ceil((100 * packed) / PACKED_LIMIT_BYTES)
  if (percent > 100)
    throw new AwsError(
      400,
      'PackedPolicyTooLarge',
      `Packed size of session policies and tags consumes ${String(percent)}% of allotted space.`,
    )
  return percent
}

/** A list of the query protocol: `Tags.member.1.Key=…`. */
function members(params: URLSearchParams, list: string): ReadonlyMap<string, string>[] {
  const found: Map<string, string>[] = []
  for (const [name, value] of params) {
    const [owner, member, index, field = ''] = name.split('.')
    if (owner !== list || member !== 'member') continue
    const at = Number(index) - 1
    ;(found[at] ??= new Map()).set(field, value)
  }
  return found
}

function check(holds: boolean, member: string): void {
  if (!holds)
    throw new AwsError(
      400,
      'ValidationError',
      `1 validation error detected: Value at '${member}' failed to satisfy constraint`,
    )
}
