import { randomUUID } from 'node:crypto'

import type { Account } from './account.ts'
import { AwsError } from './aws-error.ts'
import { authenticate } from './caller.ts'
import { callLogs, callS3, type Answer } from './data-plane.ts'
import { callIam } from './iam.ts'
import { readSignature, type ReceivedRequest, type Signed } from './sigv4.ts'
import { assumeRole, getCallerIdentity } from './sts.ts'
import { toXml, type XmlNode } from './xml.ts'

/** Authenticates a request and carries it out; whatever goes wrong becomes the answer that AWS would give. */
export async function carryOut(account: Account, request: ReceivedRequest): Promise<Answer> {
  let service = 'sts'
  try {
    const signed = readSignature(request)
    service = signed.service
    return await call(account, signed, request)
  } catch (error) {
    if (error instanceof AwsError) return errorAnswer(error, service)
    return errorAnswer(new AwsError(500, 'InternalFailure', 'The stand-in failed.'), service)
  }
}

async function call(account: Account, signed: Signed, request: ReceivedRequest): Promise<Answer> {
  const caller = await authenticate(account, signed)
  const params = new URLSearchParams(request.body.toString())
  const action = params.get('Action') ?? ''
  switch (signed.service) {
    case 's3':
      return callS3(account, caller, request)
    case 'logs':
      return callLogs(account, caller, { ...request, region: signed.region })
    case 'iam':
      return queryAnswer(
        action,
        callIam(account, caller, params),
        'https://iam.amazonaws.com/doc/2010-05-08/',
      )
    case 'sts':
      if (action === 'AssumeRole') return stsAnswer(action, assumeRole(account, caller, params))
      if (action === 'GetCallerIdentity')
        return stsAnswer(action, getCallerIdentity(account, caller))
  }
  throw new AwsError(400, 'InvalidAction', 'The stand-in has no such operation.')
}

function stsAnswer(action: string, result: XmlNode): Answer {
  return queryAnswer(action, result, 'https://sts.amazonaws.com/doc/2011-06-15/')
}

function queryAnswer(action: string, result: XmlNode, namespace: string): Answer {
  const node = { [`${action}Result`]: result, ResponseMetadata: { RequestId: randomUUID() } }
  return { status: 200, type: 'text/xml', body: toXml(`${action}Response`, node, namespace) }
}

function errorAnswer({ status, code, message }: AwsError, service: string): Answer {
  if (service === 'logs')
    return {
      status,
      type: 'application/x-amz-json-1.1',
      body: JSON.stringify({ __type: code, message }),
    }
  if (service === 's3')
    return {
      status,
      type: 'application/xml',
      body: toXml('Error', { Code: code, Message: message }),
    }
  const error = { Type: status < 500 ? 'Sender' : 'Receiver', Code: code, Message: message }
  return {
    status,
    type: 'text/xml',
    body: toXml('ErrorResponse', { Error: error, RequestId: randomUUID() }),
  }
}
