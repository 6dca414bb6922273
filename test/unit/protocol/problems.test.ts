import { describe, expect, test } from '@jest/globals'
import { isProblemCode, problemSchema, PROBLEMS } from '@mayfly/protocol'

describe('the table of problems', () => {
  test('R33 every code has a stable type of its own, an error status and a text', () => {
    for (const [code, entry] of Object.entries(PROBLEMS)) {
      expect(entry.type).toBe(`https://mayfly.dev/problems/${code}`)
      expect(entry.status).toBeGreaterThanOrEqual(400)
      expect(entry.status).toBeLessThan(600)
      expect(entry.title).not.toBe('')
      expect(entry.doc).not.toBe('')
    }
  })

  test('only refusals that pass by themselves may be retried', () => {
    const retryable = Object.entries(PROBLEMS).filter(([, entry]) => entry.retryable)
    expect(retryable.map(([code, { status }]) => `${String(status)} ${code}`).sort()).toEqual([
      '429 limit_reached',
      '429 rate_limited',
      '503 database_unavailable',
      '503 issuer_unavailable',
      '503 policy_unavailable',
      '503 provider_throttled',
      '503 provider_unavailable',
    ])
  })

  test('what objects inherit is not a code', () => {
    expect(isProblemCode('denied')).toBe(true)
    expect(isProblemCode('toString')).toBe(false)
    expect(isProblemCode('__proto__')).toBe(false)
  })

  test('a problem of a newer broker still parses', () => {
    const problem = {
      type: 'https://mayfly.dev/problems/too_new',
      title: 'Something new',
      status: 418,
      code: 'too_new',
      requestId: 'req_1',
      retryable: false,
      another: 'member',
    }
    expect(problemSchema.parse(problem).code).toBe('too_new')
  })
})
