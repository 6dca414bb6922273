import { Sha256 } from '@smithy/core/checksum'
import { SignatureV4 } from '@smithy/signature-v4'

export interface S3Call {
  readonly method: 'PUT' | 'GET' | 'DELETE'
  /** `arn:aws:s3:::bucket/key`, or a bucket alone to list it. */
  readonly arn: string
  readonly body?: string
  readonly region?: string
  readonly signedAt?: Date
}

export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** A path-style S3 request, signed and ready for `fetch`: the shortest way to use a session. */
export async function signS3Request(endpoint: URL, keys: AwsKeys, call: S3Call): Promise<Request> {
  const { method, body = '', region = 'eu-west-1', signedAt = new Date() } = call
  const signer = new SignatureV4({
    credentials: keys,
    region,
    service: 's3',
    sha256: Sha256,
    uriEscapePath: false,
  })
  const path = `/${call.arn
    .replace(/^arn:[^:]+:s3:::/, '')
    .split('/')
    .map(encodeURIComponent)
    .join('/')}`
  const payload = method === 'PUT' ? { body } : {}
  const { headers } = await signer.sign(
    {
      method,
      protocol: endpoint.protocol,
      hostname: endpoint.hostname,
      path,
      query: {},
      headers: { host: endpoint.host },
      ...payload,
    },
    { signingDate: signedAt },
  )
  return new Request(new URL(path, endpoint), { method, headers, ...payload })
}
