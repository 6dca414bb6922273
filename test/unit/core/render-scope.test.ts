import { MayflyError, renderScope, type Json, type JsonObject } from '@mayfly/core'
import { describe, expect, test } from '@jest/globals'

const template = (fragment: JsonObject, actions: Readonly<Record<string, JsonObject>>) => ({
  name: 'repo',
  fragment,
  actions: Object.fromEntries(
    Object.entries(actions).map(([name, each]) => [name, { fragment: each }]),
  ),
})

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof MayflyError) return error.code
    throw error
  }
  return 'no error'
}

describe('a scope', () => {
  const github = template(
    { account: 'acme', repositories: ['{{repository}}'] },
    {
      read: { permissions: { contents: 'read', issues: 'write' } },
      write: { permissions: { contents: 'write', issues: 'read' } },
      admin: { permissions: { projects: 'admin' } },
    },
  )

  test('R18 holds the fragments of the requested actions and of no others', () => {
    expect(renderScope(github, ['read'], { repository: 'web' })).toEqual({
      account: 'acme',
      repositories: ['web'],
      permissions: { contents: 'read', issues: 'write' },
    })
  })

  test('has the highest permission level asked for, in any order of actions', () => {
    const permissions = [
      ['read', 'write'],
      ['write', 'read'],
    ].map((actions) => renderScope(github, actions, { repository: 'web' })['permissions'])
    const highest = { contents: 'write', issues: 'write' }
    expect(permissions).toEqual([highest, highest])
  })

  test('unites lists without repeating entries', () => {
    const aws = template(
      { roleArn: 'r' },
      {
        get: { statements: [{ actions: ['s3:GetObject'] }, { actions: ['s3:ListBucket'] }] },
        put: { statements: [{ actions: ['s3:ListBucket'] }, { actions: ['s3:PutObject'] }] },
      },
    )
    expect(renderScope(aws, ['get', 'put'], {})).toEqual({
      roleArn: 'r',
      statements: [
        { actions: ['s3:GetObject'] },
        { actions: ['s3:ListBucket'] },
        { actions: ['s3:PutObject'] },
      ],
    })
  })

  test('has one entry for each Vault path, and tells a path from what is below it', () => {
    const vault = template(
      {},
      {
        read: { paths: [{ path: 'kv/a', capabilities: ['read'] }] },
        write: { paths: [{ path: 'kv/a', capabilities: ['read', 'update'] }] },
        below: { paths: [{ path: 'kv/a', capabilities: ['list'], prefix: true }] },
      },
    )
    expect(renderScope(vault, ['read', 'write', 'below'], {})).toEqual({
      paths: [
        { path: 'kv/a', capabilities: ['read', 'update'] },
        { path: 'kv/a', capabilities: ['list'], prefix: true },
      ],
    })
  })

  test('is refused when two actions do not agree', () => {
    const torn = template(
      {},
      { one: { database: { role: 'a' } }, two: { database: { role: 'b' } } },
    )
    expect(codeOf(() => renderScope(torn, ['one', 'two'], {}))).toBe('scope_invalid')
  })

  test.each<[string, JsonObject]>([
    ['an empty list', { repositories: [] }],
    ['an empty object', { permissions: {} }],
    ['an empty text', { account: '' }],
    ['nothing at all', {}],
    ['something empty far inside', { a: [{ b: { c: [] } }] }],
  ])('R18 is refused with %s, which a provider could read as everything', (_what, fragment) => {
    expect(codeOf(() => renderScope(template(fragment, { read: {} }), ['read'], {}))).toBe(
      'scope_invalid',
    )
  })

  test.each(['unknown', 'constructor', '__proto__'])('has no action %s', (action) => {
    expect(codeOf(() => renderScope(github, [action], { repository: 'web' }))).toBe(
      'action_unknown',
    )
  })
})

describe('placeholders', () => {
  const rendered = (leaf: Json, values: Record<string, string | number | boolean>) =>
    renderScope(template({ leaf }, { read: {} }), ['read'], values)['leaf']

  test('inside a text become text; alone they keep the type of their value', () => {
    expect([
      rendered('id-{{n}}-{{b}}', { n: 7, b: true }),
      rendered('{{n}}', { n: 7 }),
      rendered(['{{b}}'], { b: false }),
    ]).toEqual(['id-7-true', 7, [false]])
  })

  test('are filled once: a value is never read as a placeholder or a replacement pattern', () => {
    expect(rendered('{{a}}-{{b}}', { a: '{{b}}', b: "$&$'" })).toBe("{{b}}-$&$'")
  })

  test.each(['missing', 'constructor', 'toString'])('without a value (%s) are an error', (name) => {
    expect(codeOf(() => rendered(`{{${name}}}`, {}))).toBe('scope_invalid')
  })

  test('in keys are left alone', () => {
    const scope = renderScope(template({ '{{a}}': 'x' }, { read: {} }), ['read'], { a: 'b' })
    expect(scope).toEqual({ '{{a}}': 'x' })
  })
})
