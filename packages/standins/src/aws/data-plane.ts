import { z } from 'zod'

import type { Account } from './account.ts'
import { AwsError } from './aws-error.ts'
import { assertAllowed, type Caller } from './caller.ts'
import type { ReceivedRequest } from './sigv4.ts'
import { toXml } from './xml.ts'

export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string | Buffer
}

const ACTIONS: Readonly<Record<string, string>> = {
  GET: 's3:GetObject',
  HEAD: 's3:GetObject',
  PUT: 's3:PutObject',
  DELETE: 's3:DeleteObject',
}

/** Path-style S3, as far as put, get, delete and list: something for a session to be allowed or refused. */
export function callS3(
  account: Account,
  caller: Caller,
  { method, url, body }: ReceivedRequest,
): Answer {
  const [bucket = '', ...segments] = url.pathname.slice(1).split('/').map(decodeURIComponent)
  const key = segments.join('/')
  if (key === '')
    return listBucket(account, caller, {
      bucket,
      method,
      prefix: url.searchParams.get('prefix') ?? '',
    })

  const action = ACTIONS[method]
  if (action === undefined)
    throw new AwsError(405, 'MethodNotAllowed', 'The specified method is not allowed.')
  const name = `${bucket}/${key}`
  assertAllowed(caller, action, `arn:aws:s3:::${name}`)
  if (method === 'PUT') account.objects.set(name, body)
  if (method === 'DELETE') account.objects.delete(name)
  if (method === 'PUT') return { status: 200, type: 'application/xml', body: '' }
  if (method === 'DELETE') return { status: 204, type: 'application/xml', body: '' }
  const found = account.objects.get(name)
  if (!found) throw new AwsError(404, 'NoSuchKey', 'The specified key does not exist.')
  return { status: 200, type: 'application/octet-stream', body: found }
}

function listBucket(
  account: Account,
  caller: Caller,
  { bucket, method, prefix }: { bucket: string; method: string; prefix: string },
): Answer {
  if (bucket === '' || method !== 'GET')
    throw new AwsError(405, 'MethodNotAllowed', 'The specified method is not allowed.')
  assertAllowed(
    caller,
    's3:ListBucket',
    `arn:aws:s3:::${bucket}`,
    new Map([['s3:prefix', [prefix]]]),
  )
  const start = `${bucket}/${prefix}`
  const names = [...account.objects.keys()].filter((name) => name.startsWith(start)).sort()
  const Contents = names.map((name) => ({
    Key: name.slice(bucket.length + 1),
    Size: account.objects.get(name)?.length ?? 0,
  }))
  const body = toXml('ListBucketResult', {
    Name: bucket,
    Prefix: prefix,
    KeyCount: names.length,
    IsTruncated: 'false',
    Contents,
  })
  return { status: 200, type: 'application/xml', body }
}

const filterSchema = z.object({ logGroupName: z.string().min(1) })

/** `FilterLogEvents` on log groups that are all empty: a read that is not S3. */
export function callLogs(
  account: Account,
  caller: Caller,
  request: ReceivedRequest & { readonly region: string },
): Answer {
  if (request.headers['x-amz-target'] !== 'Logs_20140328.FilterLogEvents')
    throw new AwsError(400, 'UnknownOperationException', 'Only FilterLogEvents is here.')
  const input = filterSchema.safeParse(JSON.parse(request.body.toString() || '{}'))
  if (!input.success)
    throw new AwsError(400, 'InvalidParameterException', 'logGroupName is missing.')
  const group = `arn:aws:logs:${request.region}:${account.id}:log-group:${input.data.logGroupName}:*`
  assertAllowed(caller, 'logs:FilterLogEvents', group)
  return {
    status: 200,
    type: 'application/x-amz-json-1.1',
    body: '{"events":[],"searchedLogStreams":[]}',
  }
}
