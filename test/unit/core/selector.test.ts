import { expect, test } from '@jest/globals'
import { normaliseSelector, type Selector } from '@mayfly/core'

test('names are brought into the one spelling that targets have', () => {
  const asked = {
    repository: 'Acme/Payments',
    organisation: 'ACME',
    permission: 's3:PutObject',
    vaultPath: 'kv/data/App/',
    createdAfter: '2026-11-23T12:00:00Z',
  }
  expect(normaliseSelector(asked)).toEqual({
    repository: 'acme/payments',
    organisation: 'acme',
    permission: 's3:putobject',
    vaultPath: 'kv/data/App',
    createdAfter: '2026-11-23T12:00:00.000Z',
  })
  expect(normaliseSelector({ everything: true })).toEqual({ everything: true })
})

test.each<[Selector, string]>([
  [{}, 'selector_empty'],
  [{ everything: true, agent: 'a' }, 'selector_everything_not_alone'],
  [{ templateVersion: 3 }, 'selector_invalid'],
  [
    { createdAfter: '2026-11-23T12:00:00Z', createdBefore: '2026-11-23T12:00:00Z' },
    'selector_window_invalid',
  ],
])('R92 %j selects by accident, and is refused', (asked, code) => {
  expect(() => normaliseSelector(asked)).toThrow(expect.objectContaining({ code }))
})
