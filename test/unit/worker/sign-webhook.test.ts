import { createHmac, randomBytes } from 'node:crypto'

import { describe, expect, test } from '@jest/globals'
import { Secret } from '@mayfly/core'
import { signWebhook } from '@mayfly/worker'

const message = { id: 'evt_1', timestamp: 1_700_000_000, body: '{"a":1}' }

describe('signing a webhook', () => {
  test('gives the signature of the Standard Webhooks specification', () => {
    const headers = signWebhook(new Secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'), {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      timestamp: 1614265330,
      body: '{"test": 2432232314}',
    })
    expect(headers).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    })
  })

  test('signs with both secrets while a receiver changes from one to the other', () => {
    const keys = [randomBytes(32), randomBytes(24)]
    const secret = keys.map((key) => `whsec_${key.toString('base64')}`).join(' ')
    const signatures = keys.map(
      (key) =>
        `v1,${createHmac('sha256', key).update('evt_1.1700000000.{"a":1}').digest('base64')}`,
    )
    const headers = signWebhook(new Secret(secret), message)
    expect(headers?.['webhook-signature']).toBe(signatures.join(' '))
  })

  test.each([
    ['empty', ''],
    ['no prefix', randomBytes(32).toString('base64')],
    ['too short', `whsec_${randomBytes(23).toString('base64')}`],
    ['not base64', 'whsec_%%%%'],
    ['one of two', `whsec_${randomBytes(32).toString('base64')} short`],
  ])('does not sign with a secret that is %s', (_name, secret) => {
    expect(signWebhook(new Secret(secret), message)).toBeNull()
  })
})
