import { loadConfig } from '@mayfly/broker'
import { describe, expect, test } from '@jest/globals'

const required = {
  PUBLIC_URL: 'https://mayfly.example',
  DATABASE_URL: 'postgresql://mayfly@db/mayfly',
  SEALING_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
}

describe('the times of the broker', () => {
  test('follow from how long a provider may take', () => {
    expect(loadConfig({ ...required, PROVIDER_TIMEOUT_MS: '4500' }).times).toEqual({
      mintDeadlineSeconds: 20,
      deliveryDeadlineSeconds: 30,
      visibilitySeconds: 20,
      retryCapSeconds: 60,
    })
  })

  test('can be chosen', () => {
    const chosen = loadConfig({
      ...required,
      PROVIDER_TIMEOUT_MS: '1000',
      MINT_DEADLINE_SECONDS: '3',
      DELIVERY_DEADLINE_SECONDS: '4',
      REVOCATION_VISIBILITY_SECONDS: '2',
      REVOCATION_RETRY_CAP_SECONDS: '1',
    })
    expect(chosen.times).toEqual({
      mintDeadlineSeconds: 3,
      deliveryDeadlineSeconds: 4,
      visibilitySeconds: 2,
      retryCapSeconds: 1,
    })
  })

  test.each([
    ['MINT_DEADLINE_SECONDS', '4'],
    ['REVOCATION_VISIBILITY_SECONDS', '2'],
  ])('never take for lost what may be under way: %s', (name, value) => {
    const load = (): unknown =>
      loadConfig({ ...required, PROVIDER_TIMEOUT_MS: '2000', [name]: value })
    expect(load).toThrow(new RegExp(`${name}: must be more than`))
  })
})
