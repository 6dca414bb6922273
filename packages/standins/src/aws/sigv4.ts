import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

import { Sha256 } from '@smithy/core/checksum'
import { SignatureV4 } from '@smithy/signature-v4'

import { AwsError } from './aws-error.ts'

const MAX_SKEW_MS = 5 * 60_000
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=(?<key>\w+)\/(?<date>\d{8})\/(?<region>[a-z0-9-]+)\/(?<service>[a-z0-9-]+)\/aws4_request, ?SignedHeaders=(?<signed>[a-z0-9;-]+), ?Signature=(?<signature>[0-9a-f]{64})$/

export interface ReceivedRequest {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Signed {
  readonly accessKeyId: string
  readonly region: string
  readonly service: string
  readonly sessionToken: string | undefined
  /** Throws `SignatureDoesNotMatch` unless this key signed exactly this request. */
  verify(secretAccessKey: string): Promise<void>
}

/** Reads a SigV4 `Authorization` header: complete, recent, and with the payload that it names. */
export function readSignature(request: ReceivedRequest): Signed {
  const { headers } = request
  if (headers.authorization === undefined)
    throw new AwsError(403, 'MissingAuthenticationToken', 'Request is missing Authentication Token')
  const parts = AUTHORIZATION.exec(headers.authorization)?.groups as
    Record<'key' | 'date' | 'region' | 'service' | 'signed' | 'signature', string> | undefined // the groups of the pattern above
  if (!parts)
    throw new AwsError(400, 'IncompleteSignature', 'The Authorization header is not well formed.')
  const signedHeaders = parts.signed.split(';')
  const signedAt = checkDate(headers, parts.date)
  checkPayload(request)
  checkSignedHeaders(headers, signedHeaders)

  return {
    accessKeyId: parts.key,
    region: parts.region,
    service: parts.service,
    sessionToken: single(headers['x-amz-security-token']),
    async verify(secretAccessKey) {
      const expected = await sign(request, { ...parts, secretAccessKey, signedAt, signedHeaders })
      const [a, b] = [Buffer.from(expected), Buffer.from(parts.signature)]
      if (a.length !== b.length || !timingSafeEqual(a, b))
        throw new AwsError(
          403,
          'SignatureDoesNotMatch',
          'The request signature we calculated does not match the signature you provided.',
        )
    },
  }
}

// Checked against the machine's own time whatever clock the stand-in runs on: SDKs sign with it.
function checkDate(headers: IncomingHttpHeaders, scopeDate: string): Date {
  const text = single(headers['x-amz-date']) ?? ''
  const iso = text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z')
  const signedAt = new Date(iso)
  if (iso === text || Number.isNaN(signedAt.getTime()) || !text.startsWith(scopeDate))
    throw new AwsError(
      400,
      'IncompleteSignature',
      'Date must be in ISO-8601 basic format and match the credential scope.',
    )
  if (Math.abs(Date.now() - signedAt.getTime()) > MAX_SKEW_MS)
    throw new AwsError(
      403,
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
    )
  return signedAt
}

function checkPayload({ headers, body }: ReceivedRequest): void {
  const claimed = single(headers['x-amz-content-sha256'])
  if (claimed === undefined || claimed === 'UNSIGNED-PAYLOAD') return
  if (claimed !== createHash('sha256').update(body).digest('hex'))
    throw new AwsError(
      400,
      'XAmzContentSHA256Mismatch',
      'The provided x-amz-content-sha256 header does not match what was computed.',
    )
}

function checkSignedHeaders(headers: IncomingHttpHeaders, signed: readonly string[]): void {
  const required = ['host', ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))]
  if (
    required.every((name) => signed.includes(name)) &&
    signed.every((name) => headers[name] !== undefined)
  )
    return
  throw new AwsError(403, 'SignatureDoesNotMatch', 'Host and every x-amz- header must be signed.')
}

interface Signing {
  readonly secretAccessKey: string
  readonly key: string
  readonly region: string
  readonly service: string
  readonly signedAt: Date
  readonly signedHeaders: readonly string[]
}

async function sign(
  { method, url, headers, body }: ReceivedRequest,
  signing: Signing,
): Promise<string> {
  const s3 = signing.service === 's3'
  const signer = new SignatureV4({
    credentials: { accessKeyId: signing.key, secretAccessKey: signing.secretAccessKey },
    region: signing.region,
    service: signing.service,
    sha256: Sha256,
    // S3 signs the path as it is sent, every other service encodes it once more.
    uriEscapePath: !s3,
    applyChecksum: false,
  })
  const signed = await signer.sign(
    {
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: queryOf(url),
      headers: Object.fromEntries(
        signing.signedHeaders.map((name) => [name, single(headers[name]) ?? '']),
      ),
      body,
    },
    { signingDate: signing.signedAt, signableHeaders: new Set(signing.signedHeaders) },
  )
  return /Signature=([0-9a-f]{64})$/.exec(signed.headers['authorization'] ?? '')?.[1] ?? ''
}

function queryOf(url: URL): Record<string, string[]> {
  const query: Record<string, string[]> = {}
  for (const [name, value] of url.searchParams) (query[name] ??= []).push(value)
  return query
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value
}
