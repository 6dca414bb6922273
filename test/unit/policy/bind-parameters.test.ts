import { MayflyError, type Json, type JsonObject, type ParameterValues } from '@mayfly/core'
import { describe, expect, test } from '@jest/globals'

import { compile, template, world } from './documents.ts'

/** A template's `bind`, with one parameter of interest. */
function binder(schema: JsonObject, more: JsonObject = {}) {
  const spec = {
    parameters: { value: schema },
    resource: { type: 'Repo', id: '{{value}}' },
    repositories: ['x'],
    ...more,
  }
  const compiled = compile(world(template(spec))).templates.get('repo')
  if (!compiled) throw new Error('the template did not compile')
  return compiled
}

function bound(
  schema: JsonObject,
  value: Json,
  claims: JsonObject = {},
): ParameterValues[string] | undefined {
  const given: JsonObject = 'fromClaim' in schema ? {} : { value }
  return binder(schema).bind(given, claims)['value']
}

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof MayflyError) return error.code
    throw error
  }
  return 'no error'
}

const anything = { type: 'string', pattern: '(?s).*' }

describe('a text parameter', () => {
  test.each([
    ['main-attacker', 'main|develop'],
    ['attacker-develop', 'main|develop'],
    ['xmain', 'main'],
    ['main\n', 'main'],
    ['MAIN', 'main'],
  ])('%j does not match %s, which has to match all of it', (value, pattern) => {
    expect(codeOf(() => bound({ type: 'string', pattern }, value))).toBe('parameter_invalid')
  })

  test.each(['a)|(?:b', '(a', 'a)', '[a', 'a**', '(?=a)b', '\\1'])(
    'the pattern %s is refused with the set: it is no RE2 expression by itself',
    (pattern) => {
      expect(codeOf(() => binder({ type: 'string', pattern }))).toBe('policy_set_invalid')
    },
  )

  test.each([
    ['a wildcard', '*'],
    ['a part with a wildcard', 'web*'],
    ['a Vault segment wildcard', '+'],
    ['a question mark', 'we?'],
    ['a policy variable', '${aws:username}'],
    ['a placeholder', '{{value}}'],
    ['a bracket', '[ab]'],
    ['an escaped slash', '%2e%2e'],
    ['a backslash', 'a\\b'],
    ['a quote', 'a"b'],
    ['a space', 'a b'],
    ['a line break', 'a\nb'],
    ['a NUL', 'a\0b'],
    ['a bidirectional override', 'a\u202eb'],
    ['a zero-width space', 'a\u200bb'],
    ['a lone surrogate', 'a\ud800'],
    ['a Cyrillic look-alike', 'p\u0430yments'],
    ['a full-width solidus', 'a\uff0fb'],
    ['a slash that the pattern does not spell', 'a/b'],
    ['a colon that the pattern does not spell', 'a:b'],
    ['nothing', ''],
    ['too much', 'a'.repeat(257)],
  ])('holding %s is refused, even where the pattern takes anything', (_what, value) => {
    expect(codeOf(() => bound(anything, value))).toBe('parameter_invalid')
  })

  test.each(['../x', 'a/..', 'a/../b', '/a', 'a/', 'a//b', './a', '.', '..'])(
    'R44 the path %s is refused, even where the pattern spells a slash',
    (value) => {
      expect(codeOf(() => bound({ type: 'string', pattern: '.*/.*|.*' }, value))).toBe(
        'parameter_invalid',
      )
    },
  )

  test('may hold what the pattern spells and what `allow` lists', () => {
    const spelled = { type: 'string', pattern: '[a-z]+/[a-z:@]+' }
    const allowed = { type: 'string', pattern: '.*', allow: '* ' }
    expect([bound(spelled, 'acme/a:b@c'), bound(allowed, 'a *')]).toEqual(['acme/a:b@c', 'a *'])
  })

  test('never holds a control character, not even one that is allowed', () => {
    const schema = { type: 'string', pattern: '(?s).*', allow: '\n' }
    expect(codeOf(() => bound(schema, 'a\nb'))).toBe('parameter_invalid')
  })

  test('is composed (NFC) where the template lets other letters in', () => {
    const schema = { type: 'string', pattern: '.*', unicode: true }
    expect(bound(schema, 'cafe\u0301')).toBe('caf\u00e9')
  })

  test.each([
    ['repository', 'Acme/Web', 'acme/web'],
    ['ref', 'main', 'refs/heads/main'],
    ['ref', 'refs/tags/v1', 'refs/tags/v1'],
    ['hostname', 'API.Example.COM', 'api.example.com'],
  ])('R44 of format %s turns %s into %s before the pattern sees it', (format, value, canonical) => {
    expect(bound({ type: 'string', pattern: '[a-z0-9./]+/?', format }, value)).toBe(canonical)
  })

  test('is told apart from other types', () => {
    for (const value of [1, true, null, ['a'], { a: 1 }]) {
      expect(codeOf(() => bound(anything, value))).toBe('parameter_invalid')
    }
  })

  test('takes linear time, whatever the pattern', () => {
    const started = performance.now()
    expect(codeOf(() => bound({ type: 'string', pattern: '(a+)+b' }, 'a'.repeat(256)))).toBe(
      'parameter_invalid',
    )
    expect(performance.now() - started).toBeLessThan(5_000)
  })
})

describe('other parameters', () => {
  test.each<[string, JsonObject, Json]>([
    ['an enum takes listed values only', { type: 'string', enum: ['a', 'b'] }, 'c'],
    ['an integer is whole', { type: 'integer', minimum: 1, maximum: 9 }, 1.5],
    ['an integer is no text', { type: 'integer', minimum: 1, maximum: 9 }, '1'],
    ['an integer is not below its minimum', { type: 'integer', minimum: 1, maximum: 9 }, 0],
    ['an integer is not above its maximum', { type: 'integer', minimum: 1, maximum: 9 }, 10],
    ['a boolean is no text', { type: 'boolean' }, 'true'],
  ])('%s', (_rule, schema, value) => {
    expect(codeOf(() => bound(schema, value))).toBe('parameter_invalid')
  })

  test('keep their type', () => {
    expect([
      bound({ type: 'string', enum: ['a', 'b'] }, 'a'),
      bound({ type: 'integer', minimum: 1, maximum: 9 }, 9),
      bound({ type: 'boolean' }, false),
    ]).toEqual(['a', 9, false])
  })
})

describe('a parameter bound from a claim', () => {
  const schema = { fromClaim: 'repository_id' }

  test('comes from the verified token', () => {
    expect(bound(schema, null, { repository_id: '42' })).toBe('42')
  })

  test('cannot be given by the caller, not even with the right value', () => {
    const run = () => binder(schema).bind({ value: '42' }, { repository_id: '42' })
    expect(codeOf(run)).toBe('parameter_invalid')
  })

  test('is missing when the claim is, at the lease and already at the declaration', () => {
    const compiled = binder(schema)
    const early = codeOf(() => compiled.bind({}, {}, { partial: true }))
    expect([codeOf(() => compiled.bind({}, {})), early]).toEqual(['claim_missing', 'claim_missing'])
  })

  test('gets no more trust than a caller’s text: a branch can have any name', () => {
    for (const value of ['*', 'a/../b', 'a/b', 'a\nb', ['42'], null]) {
      expect(codeOf(() => bound(schema, null, { repository_id: value }))).toBe('parameter_invalid')
    }
  })
})

describe('all parameters', () => {
  const compiled = binder({ type: 'string', enum: ['a'] })

  test('are needed for a lease', () => {
    expect(codeOf(() => compiled.bind({}, {}))).toBe('parameter_invalid')
  })

  test('may stay open in a declaration', () => {
    expect(compiled.bind({}, {}, { partial: true })).toEqual({})
  })

  test('must be known: a misspelt one is not left out silently', () => {
    for (const name of ['valeu', '__proto__', 'constructor', 'toString']) {
      const given = JSON.parse(`{ "value": "a", ${JSON.stringify(name)}: "a" }`) as JsonObject
      expect(codeOf(() => compiled.bind(given, {}))).toBe('parameter_invalid')
    }
  })

  test('a refusal names the parameter and not its value', () => {
    try {
      compiled.bind({ value: 'hunter2' }, {})
    } catch (error) {
      expect(
        JSON.stringify([(error as MayflyError).message, (error as MayflyError).details]),
      ).not.toContain('hunter2')
    }
    expect.assertions(1)
  })
})
