import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

import { problem, startFakeBroker, TASK_ID, TASK_TOKEN, type FakeBroker } from './fake-broker.ts'
import { runInMemory, type Ran } from './terminal.ts'

const node = process.execPath

let broker: FakeBroker
let env: Record<string, string>
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mayfly-run-'))
  broker = await startFakeBroker()
  env = { MAYFLY_URL: broker.url, MAYFLY_TOKEN: 'workload-token' }
})
afterEach(async () => {
  await broker.stop()
  await rm(folder, { recursive: true })
})

const GITHUB = ['-t', 'github', '-a', 'repo.write', '-p', 'repo=acme/x']
const run = (options: string[], command: string[]) =>
  runInMemory(['run', ...options, '--', ...command], env)

/** Runs a command that tells what environment it was given, or `null` when it never ran. */
async function runAndTell(
  options: string[],
): Promise<Ran & { given: Readonly<Record<string, string>> | null }> {
  const file = join(folder, 'environment.json')
  const script = `require('fs').writeFileSync('${file}', JSON.stringify(process.env))`
  const ran = await run(options, [node, '-e', script])
  const told = await readFile(file, 'utf8').catch(() => 'null')
  return { ...ran, given: JSON.parse(told) as Record<string, string> | null } // what the child wrote
}

const LIFE_OF_A_TASK = ['POST /v1/tasks', 'POST /v1/leases', `POST /v1/tasks/${TASK_ID}/close`]

test('a command gets credentials in its environment, and they end with it', async () => {
  const { status, stdout, stderr, given } = await runAndTell([
    ...GITHUB,
    ...['--ttl', '10m', '--intent', 'fix the build', '--ticket', 'PAY-1'],
  ])
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
  expect(given).toMatchObject({ GITHUB_TOKEN: 'ghs_canary', GH_TOKEN: 'ghs_canary' })
  const request = { template: 'github', actions: ['repo.write'], parameters: { repo: 'acme/x' } }
  expect(broker.calls).toEqual([
    {
      route: 'POST /v1/tasks',
      authorization: 'Bearer workload-token',
      body: { intent: { reason: 'fix the build', ticket: 'PAY-1' }, declarations: [request] },
    },
    {
      route: 'POST /v1/leases',
      authorization: `Bearer ${TASK_TOKEN}`,
      body: { ...request, ttlSeconds: 600 },
    },
    {
      route: `POST /v1/tasks/${TASK_ID}/close`,
      authorization: `Bearer ${TASK_TOKEN}`,
      body: null,
    },
  ])
})

test("the child gets neither Mayfly's tokens nor the provider's ambient credentials", async () => {
  Object.assign(env, {
    GH_ENTERPRISE_TOKEN: 'a',
    AWS_PROFILE: 'b',
    MAYFLY_OPERATOR_TOKEN: 'c',
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'd',
    UNRELATED: 'e',
  })
  const { given } = await runAndTell(GITHUB)
  const names = ['GH_ENTERPRISE_TOKEN', 'MAYFLY_TOKEN', 'MAYFLY_OPERATOR_TOKEN']
  for (const name of [...names, 'ACTIONS_ID_TOKEN_REQUEST_TOKEN']) {
    expect(given).not.toHaveProperty(name)
  }
  expect(given).toMatchObject({ AWS_PROFILE: 'b', UNRELATED: 'e' })
})

test('several templates give one environment', async () => {
  const options = [
    ...GITHUB,
    '-t',
    'aws',
    '-a',
    'infra.change',
    '-t',
    'database',
    '-a',
    'secret.read',
  ]
  const { given } = await runAndTell(options)
  expect(given).toMatchObject({
    GITHUB_TOKEN: 'ghs_canary',
    AWS_ACCESS_KEY_ID: 'ASIACANARY',
    AWS_SECRET_ACCESS_KEY: 'aws-canary',
    AWS_SESSION_TOKEN: 'session-canary',
    AWS_REGION: 'eu-west-1',
    DB_USERNAME: 'v-user',
    DB_PASSWORD: "it's a canary",
  })
})

test('two credentials that would be the same variable are not mixed up', async () => {
  const { status, stderr, given } = await runAndTell([...GITHUB, ...GITHUB])
  expect({ status, given }).toEqual({ status: 1, given: null })
  expect(stderr).toContain('GITHUB_TOKEN')
  expect(broker.routes().at(-1)).toBe(`POST /v1/tasks/${TASK_ID}/close`)
})

describe('whatever happens, the credentials end', () => {
  test("the command fails: its status is ours, and its arguments are not the task's reason", async () => {
    const { status } = await run(GITHUB, [node, '-e', 'process.exit(42)'])
    expect(status).toBe(42)
    expect(broker.routes()).toEqual(LIFE_OF_A_TASK)
    expect(broker.calls[0]?.body).toMatchObject({ intent: { reason: 'run node' } })
  })

  test.each([
    ['is not there', ['/nowhere/to/be/found'], 127],
    ['is no program', ['/etc/passwd'], 126],
  ])('the command %s', async (_, command, expected) => {
    const { status, stderr } = await run(GITHUB, command)
    expect(status).toBe(expected)
    expect(stderr).toContain('cannot be run')
    expect(broker.routes()).toEqual(LIFE_OF_A_TASK)
  })

  test('a later credential is refused: the earlier ones end, and the command never runs', async () => {
    broker.refuseLease('aws', problem('denied', 403))
    const { status, given } = await runAndTell([...GITHUB, '-t', 'aws', '-a', 'infra.change'])
    expect({ status, given }).toEqual({ status: 1, given: null })
    expect(broker.routes()).toEqual([
      'POST /v1/tasks',
      'POST /v1/leases',
      'POST /v1/leases',
      `POST /v1/tasks/${TASK_ID}/close`,
    ])
  })

  test('the task cannot be closed: the status stays, and somebody is told', async () => {
    broker.answer(`POST /v1/tasks/${TASK_ID}/close`, problem('database_unavailable', 503))
    const { status, stderr } = await run(GITHUB, [node, '-e', ''])
    expect(status).toBe(0)
    expect(stderr).toBe(
      `mayfly: task ${TASK_ID} could not be ended: title of database_unavailable; the broker revokes its credentials by 2026-11-23T12:10:00.000Z\n`,
    )
  })

  test('the run was longer than its task token lives: it is renewed to close the task', async () => {
    const close = `POST /v1/tasks/${TASK_ID}/close`
    broker.answer(close, problem('unauthenticated', 401), 1)
    const { status, stderr } = await run(GITHUB, [node, '-e', ''])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(broker.routes().slice(2)).toEqual([close, `POST /v1/tasks/${TASK_ID}/token`, close])
  })
})

describe('inside a task', () => {
  beforeEach(() => {
    env = { MAYFLY_URL: broker.url, MAYFLY_TASK_TOKEN: TASK_TOKEN }
  })

  test('the lease is revoked and the task stays open', async () => {
    const { status } = await run(GITHUB, [node, '-e', ''])
    expect(status).toBe(0)
    expect(broker.routes()).toEqual(['POST /v1/leases', 'DELETE /v1/leases/lea_github'])
  })

  test('a later credential is refused: the earlier one is revoked', async () => {
    broker.refuseLease('aws', problem('denied', 403))
    const { status } = await run([...GITHUB, '-t', 'aws', '-a', 'infra.change'], [node, '-e', ''])
    expect(status).toBe(1)
    expect(broker.routes().at(-1)).toBe('DELETE /v1/leases/lea_github')
  })

  test('without an action, the declared ones are asked for', async () => {
    await run(['-t', 'github'], [node, '-e', ''])
    expect(broker.routes()[0]).toBe(`GET /v1/tasks/${TASK_ID}`)
    expect(broker.calls[1]?.body).toMatchObject({ actions: ['repo.read', 'repo.write'] })
  })
})
