import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { afterEach, beforeEach, expect, test } from '@jest/globals'

import { problem, startFakeBroker, type FakeBroker } from './fake-broker.ts'
import { runInMemory } from './terminal.ts'

let broker: FakeBroker
let folder: string
beforeEach(async () => {
  broker = await startFakeBroker()
  folder = await mkdtemp(join(tmpdir(), 'mayfly-apply-'))
})
afterEach(async () => {
  await broker.stop()
  await rm(folder, { recursive: true })
})

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
  }
}

const apply = (...more: string[]) =>
  runInMemory(['apply', '-f', folder, ...more], {
    MAYFLY_URL: broker.url,
    MAYFLY_OPERATOR_TOKEN: 'operator',
  })

function resource(kind: string, name: string): string {
  return `apiVersion: mayfly.dev/v1\nkind: ${kind}\nmetadata:\n  name: ${name}\nspec: {}\n`
}

const policySet = {
  version: 7,
  digest: 'abcdef0123456789',
  resources: [{ kind: 'Owner', name: 'ada' }],
}

function accept(applied: boolean): void {
  broker.answer('POST /v1/policy-sets', {
    status: applied ? 201 : 200,
    body: { applied, policySet },
  })
}

test('every document below a folder is sent, in one request', async () => {
  await write({
    'b.yaml': `${resource('Owner', 'ada')}---\n${resource('Owner', 'bob')}`,
    'a/nested.yml': `# nothing but a comment\n---\n${resource('Agent', 'claude')}`,
    'README.md': 'not a resource',
  })
  accept(true)
  const { status, stdout } = await apply()
  expect({ status, stdout }).toEqual({
    status: 0,
    stdout: 'policy set 7 is in force: 1 resources (digest abcdef012345)\n',
  })
  const document = (kind: string, name: string) => ({
    apiVersion: 'mayfly.dev/v1',
    kind,
    metadata: { name },
    spec: {},
  })
  expect(broker.calls).toEqual([
    {
      route: 'POST /v1/policy-sets',
      authorization: 'Bearer operator',
      body: {
        resources: [
          document('Agent', 'claude'),
          document('Owner', 'ada'),
          document('Owner', 'bob'),
        ],
        dryRun: false,
      },
    },
  ])
})

test('a dry run says that nothing was changed, and so does a set that is in force', async () => {
  await write({ 'a.yaml': resource('Owner', 'ada') })
  accept(false)
  expect((await apply('--dry-run')).stdout).toContain('nothing was changed')
  expect(broker.calls[0]?.body).toMatchObject({ dryRun: true })
  expect((await apply()).stdout).toContain('is in force already')
  expect(JSON.parse((await apply('--json')).stdout)).toEqual({ applied: false, policySet })
})

test('what is wrong with a resource is shown with its file and line', async () => {
  const template = `kind: ScopeTemplate
metadata:
  name: github
spec:
  actions:
    repo.read:
      permissions:
        contents: admin
`
  await write({
    'a.yaml': `${resource('Owner', 'ada')}---\n${template}`,
    'b.yaml': 'kind: Owner\nspec: {}\n',
  })
  broker.answer(
    'POST /v1/policy-sets',
    problem('policy_set_invalid', 422, {
      details: {
        problems: [
          {
            resource: 'ScopeTemplate/github',
            path: 'spec.actions.repo.read.permissions.contents',
            message: 'is no permission level',
          },
          { resource: 'ScopeTemplate/github', path: 'spec.ttl', message: 'is missing' },
          { resource: 'document 3', path: 'metadata', message: 'is missing' },
          { resource: 'Issuer/gone', path: '', message: 'is unknown' },
        ],
      },
    }),
  )
  const { status, stderr } = await apply()
  expect(status).toBe(1)
  expect(stderr).toBe(`mayfly: the files are not valid
  ${folder}/a.yaml:14: ScopeTemplate/github: spec.actions.repo.read.permissions.contents: is no permission level
  ${folder}/a.yaml:11: ScopeTemplate/github: spec.ttl: is missing
  ${folder}/b.yaml:1: document 3: metadata: is missing
  Issuer/gone: Issuer/gone: is unknown (policy_set_invalid)
`)
})

test.each([
  ['is not YAML', 'a: [1\n', 'a.yaml:2'],
  ['names a key twice', 'kind: Owner\nkind: Agent\n', 'a.yaml:2'],
  ['is not a resource', 'metadata:\n  name: x\n---\n- a list\n', 'a.yaml:4'],
])('a file that %s is shown with its line, and nothing is sent', async (_, content, place) => {
  await write({ 'a.yaml': content })
  const { status, stderr } = await apply()
  expect(status).toBe(1)
  expect(stderr).toContain(place)
  expect(broker.calls).toEqual([])
})

test('aliases are refused: a small file could become any size', async () => {
  await write({ 'a.yaml': 'a: &a [1]\nb: [*a, *a]\n' })
  expect((await apply()).status).not.toBe(0)
  expect(broker.calls).toEqual([])
})

test('no files and no resources are mistakes', async () => {
  expect((await apply()).status).toBe(2)
  expect((await apply('-f', join(folder, 'missing'))).status).toBe(2)
})
