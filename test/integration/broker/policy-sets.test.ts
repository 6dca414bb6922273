import { readFileSync } from 'node:fs'

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { ProblemError, type Problem } from '@mayfly/protocol'
import { documentsOfFiles } from '@mayfly/policy'

import { createDatabase, type TestDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'
import { LEASE, startRunningBroker, type RunningBroker } from './running-broker.ts'

let database: TestDatabase
let running: RunningBroker
beforeAll(async () => {
  database = await createDatabase()
  running = await startRunningBroker({ DATABASE_URL: database.connectionString })
})
afterAll(async () => {
  await running.stop()
  await database.drop()
})

type Document = Record<string, never> & { kind: string; metadata: { name: string } }

const acme = ['people', 'agents', 'issuers', 'connections', 'guardrails'].concat([
  'templates-github',
  'templates-aws',
  'templates-vault',
])
const documents = (): Document[] =>
  acme.flatMap((name) => {
    const path = new URL(`../../../examples/acme/${name}.yaml`, import.meta.url)
    return documentsOfFiles([{ path: name, text: readFileSync(path, 'utf8') }])
  }) as unknown as Document[]

async function problemOf(call: Promise<unknown>): Promise<Problem> {
  try {
    await call
  } catch (error) {
    if (error instanceof ProblemError) return error.problem
    throw error
  }
  throw new Error('nothing was refused')
}

describe('policy sets', () => {
  test('the first one comes from a folder, and a set that is equal changes nothing', async () => {
    const token = await running.operatorToken('platform@acme.example')
    const inForce = await running.client.currentPolicySet({ token })
    expect(inForce.version).toBe(1)
    const again = await running.client.applyPolicySet({ resources: documents() }, { token })
    expect(again).toEqual({ applied: false, policySet: inForce })
  })

  test('R46 a set that is not valid changes nothing and names every resource', async () => {
    const { client } = running
    const token = await running.operatorToken('platform@acme.example')
    const broken = documents().map((document) =>
      document.kind === 'Agent' && document.metadata.name === 'web-ci'
        ? { ...document, metadata: { ...document.metadata, owner: 'nobody@acme.example' } }
        : document,
    )
    const problem = await problemOf(client.applyPolicySet({ resources: broken }, { token }))
    expect(problem).toMatchObject({ status: 422, code: 'policy_set_invalid' })
    expect(JSON.stringify(problem.details)).toContain('Agent/web-ci')
    expect(await client.currentPolicySet({ token })).toMatchObject({ version: 1 })
  })

  test('R46 one refusal tells all that is wrong, with what may have been meant', async () => {
    const token = await running.operatorToken('platform@acme.example')
    const broken = documents()
      .filter(({ kind }) => kind !== 'RoleBinding')
      .map((document) => {
        const text = JSON.stringify(document)
        if (document.metadata.name === 'github-feature-branch')
          return JSON.parse(text.replace('"contents":"write"', '"content":"write"')) as Document
        if (document.metadata.name === 'web-ci')
          return JSON.parse(text.replaceAll('"github-actions"', '"github-action"')) as Document
        if (document.kind === 'Guardrail')
          return JSON.parse(text.replaceAll('resource', 'resourse')) as Document
        return document
      })
    const problem = await problemOf(running.client.applyPolicySet({ resources: broken }, { token }))
    const { problems } = problem.details as { problems: { resource: string; message: string }[] }
    const told = (resource: string): string =>
      problems
        .filter((one) => one.resource.startsWith(resource))
        .map(({ message }) => message)
        .join(' | ')
    expect(told('ScopeTemplate/github-feature-branch')).toContain('did you mean contents?')
    expect(told('Agent/web-ci')).toContain('did you mean Issuer/github-actions?')
    expect(told('Guardrail/')).not.toBe('')
    expect(told('RoleBinding')).toContain('nobody could apply another set')
  })

  test('a set that leaves nobody to apply the next one is refused', async () => {
    const token = await running.operatorToken('platform@acme.example')
    const resources = documents().filter(({ kind }) => kind !== 'RoleBinding')
    const call = running.client.applyPolicySet({ resources }, { token })
    expect(await problemOf(call)).toMatchObject({ code: 'policy_set_invalid' })
  })

  test('a dry run validates, and another set is in force at once', async () => {
    const { client } = running
    const token = await running.operatorToken('platform@acme.example')
    const { taskToken } = await running.openTask()
    const resources = documents().map((document) =>
      document.kind === 'Owner' && document.metadata.name === 'alice@acme.example'
        ? { ...document, spec: { active: false } }
        : document,
    )
    const dry = await client.applyPolicySet({ resources, dryRun: true }, { token })
    expect(dry).toMatchObject({ applied: false, policySet: { version: 2 } })
    expect(await client.currentPolicySet({ token })).toMatchObject({ version: 1 })

    const applied = await client.applyPolicySet({ resources }, { token })
    expect(applied).toMatchObject({ applied: true, policySet: { version: 2 } })
    expect(await client.currentPolicySet({ token })).toEqual(applied.policySet)
    // R12 Alice answers for web-ci, and she is gone.
    const problem = await problemOf(client.openLease(LEASE, { token: taskToken }))
    expect(problem).toMatchObject({ status: 403, code: 'owner_inactive' })
  })

  test('another broker on the same database follows within a second', async () => {
    const other = await startRunningBroker({ DATABASE_URL: database.connectionString })
    try {
      // Each has issuers of its own: only what is in the database is shared.
      const token = await running.operatorToken('platform@acme.example')
      const resources = documents()
      const { policySet } = await running.client.applyPolicySet({ resources }, { token })
      const operator = await other.operatorToken('auditor@acme.example')
      await until(async () => {
        const inForce = await other.client.currentPolicySet({ token: operator })
        return inForce.version === policySet.version
      }, 5_000)
    } finally {
      await other.stop()
    }
  })
})
