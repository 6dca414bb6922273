import { expect, test } from '@jest/globals'
import { assertSelectable } from '@mayfly/providers'

test.each(['contents:write', 'workflows:read', 's3:PutObject', 's3:*', 'vault:update', undefined])(
  '%s can be selected',
  (permission) => {
    expect(() => {
      assertSelectable(permission === undefined ? {} : { permission })
    }).not.toThrow()
  },
)

test.each([
  ['content:write', 'did you mean contents'],
  ['s3:read', 'GitHub has no permission s3'],
  ['contents:admin', 'contents has no level admin on GitHub: it has read, write'],
  ['organization_plan:write', 'it has read'],
])('%s is refused: no token can have it, and it would match nothing', (permission, words) => {
  expect(() => {
    assertSelectable({ permission })
  }).toThrow(
    expect.objectContaining({
      code: 'selector_invalid',
      message: expect.stringContaining(words),
    }),
  )
})
