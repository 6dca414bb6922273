import { reportLeakRequest, reportLeakResponse } from './leak.ts'
import type { Operation } from './operation.ts'
import { deliveryError, securityEventToken } from './security-event.ts'
import { webhookListResponse } from './webhook.ts'

/** What others tell the broker, and what it tells them. */
export const signalOperations: readonly Operation[] = [
  {
    method: 'post',
    path: '/v1/leaks',
    operationId: 'reportLeak',
    summary: 'Find and revoke the lease of a credential that turned up where it should not be',
    tokens: ['operatorToken'],
    request: {
      schema: reportLeakRequest,
      example: { sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' },
    },
    answer: { status: 200, schema: reportLeakResponse },
    problems: ['role_required'],
  },
  {
    method: 'post',
    path: '/v1/security-events',
    operationId: 'receiveSecurityEvent',
    summary: 'Push one security event token (RFC 8935); its own signature authenticates it',
    tokens: [],
    request: {
      contentType: 'application/secevent+jwt',
      schema: securityEventToken,
      example: 'eyJ0eXAiOiJzZWNldmVudCtqd3QiLCJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJpZHAifQ.c2lnbmF0dXJl',
    },
    answer: { status: 202, schema: null },
    refusal: {
      status: 400,
      description: 'The token is not accepted, and sending it again will not help',
      schema: deliveryError,
    },
    problems: ['rate_limited', 'issuer_unavailable', 'database_unavailable', 'policy_unavailable'],
  },
  {
    method: 'get',
    path: '/v1/webhooks',
    operationId: 'listWebhooks',
    summary: 'Which webhooks there are, and how far deliveries to each have got',
    tokens: ['operatorToken'],
    answer: { status: 200, schema: webhookListResponse },
    problems: ['role_required'],
  },
]
