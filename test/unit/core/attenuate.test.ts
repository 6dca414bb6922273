import { attenuate, MayflyError, type Declaration } from '@mayfly/core'
import { describe, expect, test } from '@jest/globals'

const declaration = (more: Partial<Declaration> = {}): Declaration => ({
  template: 'repo',
  actions: ['repo.read', 'repo.write'],
  parameters: { repository: 'web' },
  ...more,
})

const asked = { template: 'repo', actions: ['repo.read'], parameters: { repository: 'web' } }

function outcome(declarations: readonly Declaration[], more: Partial<typeof asked> = {}): unknown {
  try {
    return attenuate(declarations, { ...asked, ...more })
  } catch (error) {
    if (error instanceof MayflyError) return error.code
    throw error
  }
}

describe('G7 R17 a request', () => {
  test('is covered by the declaration that it stays inside of', () => {
    const other = declaration({ template: 'other' })
    const covering = declaration()
    expect(outcome([other, covering])).toBe(covering)
  })

  test('may choose what the declaration left open', () => {
    const open = declaration({ parameters: {} })
    expect(outcome([open])).toBe(open)
  })

  test.each<[string, Partial<typeof asked>]>([
    ['another template', { template: 'other' }],
    ['one action more', { actions: ['repo.read', 'repo.admin'] }],
    ['another parameter', { parameters: { repository: 'payments' } }],
    ['no action', { actions: [] }],
  ])('for %s is not declared', (_what, more) => {
    expect(outcome([declaration()], more)).toBe('not_declared')
  })

  test('without a declared parameter is not declared', () => {
    const pinned = declaration({ parameters: { repository: 'web', branch: 'main' } })
    expect(outcome([pinned])).toBe('not_declared')
  })

  test('R18 in a task that declared nothing is not declared', () => {
    expect(outcome([])).toBe('not_declared')
  })

  test('is not covered by two declarations together', () => {
    const web = declaration({ actions: ['repo.read'] })
    const payments = declaration({
      actions: ['repo.write'],
      parameters: { repository: 'payments' },
    })
    const both = { actions: ['repo.read', 'repo.write'] }
    expect(outcome([web, payments], both)).toBe('not_declared')
  })

  test('compares values with their types', () => {
    expect(
      outcome([declaration({ parameters: { repository: 1 } })], {
        parameters: { repository: '1' },
      }),
    ).toBe('not_declared')
  })
})
