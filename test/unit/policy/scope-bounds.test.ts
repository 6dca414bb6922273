import { readdirSync, readFileSync } from 'node:fs'

import {
  MayflyError,
  renderScope,
  type CompiledTemplate,
  type Json,
  type JsonObject,
  type ParameterSchema,
  type ScopeTemplate,
} from '@mayfly/core'
import { compilePolicySet, parseResourceFiles } from '@mayfly/policy'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'

import { compile, templateWithoutProvider, world } from './documents.ts'

/**
 * What "inside the template" means, said once more and without the renderer: the scope is the
 * template's own text, in which each gap holds one plain value. Nothing is ever matched by a
 * pattern here that the template did not write itself.
 */
function assertInside(source: ScopeTemplate, actions: readonly string[], scope: JsonObject): void {
  const wanted = actions.map((action) => source.actions[action]?.fragment ?? {})
  for (const [key, value] of Object.entries(scope)) {
    if (key === 'permissions') assertPermissions(wanted, value)
    else
      assertLeaves(
        [source.fragment, ...wanted].map((fragment) => fragment[key] ?? null),
        value,
      )
  }
  expect(Object.keys(scope).sort()).toEqual(
    [...new Set([source.fragment, ...wanted].flatMap((fragment) => Object.keys(fragment)))].sort(),
  )
}

function assertPermissions(wanted: readonly JsonObject[], scope: Json): void {
  for (const [name, level] of Object.entries(scope as JsonObject)) {
    const levels = wanted.map(({ permissions }) => (permissions as JsonObject)[name])
    expect(levels).toContain(level)
  }
}

/** Every text of the scope fits a text of the template; every number of entries is the template's. */
function assertLeaves(templates: readonly Json[], scope: Json): void {
  const texts = templates.flatMap(leaves)
  for (const leaf of leaves(scope)) {
    expect({ leaf, fits: texts.some((text) => fits(text, leaf)) }).toEqual({ leaf, fits: true })
  }
  expect(leaves(scope).length).toBeLessThanOrEqual(texts.length)
}

function leaves(node: Json): readonly (string | number | boolean)[] {
  if (node === null) return []
  if (typeof node !== 'object') return [node]
  return Object.values(node as JsonObject).flatMap(leaves)
}

function fits(text: string | number | boolean, leaf: string | number | boolean): boolean {
  if (typeof text !== 'string') return text === leaf
  const literals = text.split(/\{\{\w+\}\}/).map((part) => part.replace(/[^\w]/g, '\\$&'))
  const match = new RegExp(`^${literals.join('(.+?)')}$`, 's').exec(String(leaf))
  return match?.slice(1).every(isPlainValue) === true
}

/** No glob, no IAM variable, no Vault segment wildcard, no step up, no way out of the segment row. */
function isPlainValue(value: string): boolean {
  const segments = value.split('/')
  return (
    /^[A-Za-z0-9._:@=,/-]+$/.test(value) &&
    segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..')
  )
}

const hostile = fc.constantFrom(
  ...[
    '*',
    '?',
    '+',
    '..',
    '../x',
    'a/../b',
    '/',
    '//',
    'a//b',
    'web/*',
    '${aws:username}',
    '{{x}}',
  ],
  ...[
    '%2e%2e',
    '\0',
    'a\nb',
    'a\r',
    '"]',
    "'",
    '\\',
    ' ',
    '\u202e',
    '\uff0f',
    '\u0430cme',
    '.',
    '',
  ],
  ...['arn:aws:iam::999999999999:role/admin', '*:*', 'acme/*', 'web","admin":"write', '__proto__'],
)

/** Values that a caller could try: what the pattern wants, hostile texts, and both glued together. */
function attempts(schema: ParameterSchema): fc.Arbitrary<Json> {
  const pattern = ('pattern' in schema ? schema.pattern : undefined) ?? '[a-z0-9]+'
  const matching = fc.stringMatching(new RegExp(`^(?:${pattern.replace('(?s)', '')})$`))
  const listed = 'enum' in schema ? fc.constantFrom(...schema.enum) : matching
  return fc.oneof(
    { weight: 4, arbitrary: listed },
    hostile,
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.tuple(listed, hostile).map(([good, bad]) => good + bad),
    fc.tuple(hostile, listed).map(([bad, good]) => bad + good),
    fc.constantFrom<Json>(1, true, null, [], ['*'], { a: '*' }),
  )
}

function attemptsAt(compiled: CompiledTemplate) {
  const { parameters, actions, claims } = compiled.template
  const values = Object.fromEntries(
    Object.entries(parameters).map(([name, schema]) => [name, attempts(schema)]),
  )
  return fc.record({
    values: fc.record(values),
    actions: fc.subarray(Object.keys(actions), { minLength: 1 }),
    others: fc.constant(Object.fromEntries(claims.map((claim) => [claim, 'x']))),
  })
}

/** Returns how many attempts were let through, so that a test which refuses everything shows. */
function attack(compiled: CompiledTemplate, runs: number): number {
  const { template: source } = compiled
  let rendered = 0
  fc.assert(
    fc.property(attemptsAt(compiled), ({ values, actions, others }) => {
      const isClaim = ([name]: [string, unknown]) => source.parameters[name]?.type === 'claim'
      const entries = Object.entries(values as JsonObject)
      const claims = entries.filter(isClaim).map(([name, value]) => {
        const schema = source.parameters[name]
        return [schema?.type === 'claim' ? schema.fromClaim : name, value]
      })
      try {
        const given = Object.fromEntries(entries.filter((entry) => !isClaim(entry)))
        const bound = compiled.bind(given, {
          ...others,
          ...(Object.fromEntries(claims) as JsonObject),
        })
        assertInside(source, actions, renderScope(source, actions, bound))
        rendered += 1
      } catch (error) {
        if (!(error instanceof MayflyError)) throw error
      }
    }),
    { numRuns: runs },
  )
  return rendered
}

describe('G7 R18 no parameter value reaches beyond its template', () => {
  const directory = new URL('../../../examples/acme/', import.meta.url)
  const files = readdirSync(directory).filter((file) => file.endsWith('.yaml'))
  const resources = parseResourceFiles(
    files.map((path) => ({ path, text: readFileSync(new URL(path, directory), 'utf8') })),
  )
  const resolve = () => 'https://somewhere.example'
  const acme = compilePolicySet({ version: 1, digest: '', resources, resolve })

  test.each([...acme.templates.keys()])('of %s', (name) => {
    const compiled = acme.templates.get(name)
    if (!compiled) throw new Error(`${name} did not compile`)
    expect(attack(compiled, 300)).toBeGreaterThan(0)
  })

  const sloppy = ['.+', '.*', '(?s).*', '[^x]+', '\\S+', 'acme/.*', '.*|/', 'a|b', '[[:print:]]*']
  const types = { github: 'Repo', aws: 'AwsRole', vault: 'SecretPath' }
  const forms: Readonly<Record<string, JsonObject>> = {
    github: {
      account: 'acme',
      repositories: ['{{value}}', 'app-{{value}}'],
      actions: {
        'repo.read': { permissions: { contents: 'read', issues: 'write' } },
        'repo.write': { permissions: { contents: 'write' } },
      },
    },
    aws: {
      roleArn: 'arn:aws:iam::123456789012:role/mayfly',
      actions: {
        'infra.change': {
          statements: [
            {
              actions: ['s3:GetObject'],
              resources: ['arn:aws:s3:::acme/{{value}}/*', 'arn:aws:s3:::{{value}}-acme'],
              conditions: { StringLike: { 's3:prefix': ['{{value}}/x/*'] } },
            },
          ],
        },
      },
    },
    'vault paths': {
      actions: {
        'secret.read': {
          paths: [{ path: 'kv/data/{{value}}/deploy', capabilities: ['read'], prefix: true }],
        },
      },
    },
    'vault database': {
      actions: { 'secret.read': { database: { mount: 'database', role: '{{value}}-ro' } } },
    },
  }

  test.each(
    Object.keys(forms).flatMap((form) => sloppy.map((pattern) => [form, pattern] as const)),
  )('of a %s template with the careless pattern %s', (form, pattern) => {
    const [provider = ''] = form.split(' ')
    const document = templateWithoutProvider({
      ...forms[form],
      provider,
      connection: 'target',
      parameters: { value: { type: 'string', pattern } },
      resource: { type: types[provider as keyof typeof types], id: '{{value}}' },
    })
    const target = {
      apiVersion: 'mayfly.dev/v1',
      kind: 'Connection',
      metadata: { name: 'target', environment: 'development' },
      spec: { provider, settings: {} },
    }
    const compiled = compile(world(target, document)).templates.get('repo')
    if (!compiled) throw new Error('the template did not compile')
    attack(compiled, 200)
  })
})
