import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

import { startFakeBroker, TASK_ID, TASK_TOKEN, type FakeBroker } from './fake-broker.ts'
import { runInMemory } from './terminal.ts'

const OPEN = ['task', 'open', '--intent', 'why', '-t', 'github', '-a', 'repo.read']

let broker: FakeBroker
let folder: string
beforeEach(async () => {
  broker = await startFakeBroker()
  folder = await mkdtemp(join(tmpdir(), 'mayfly-tokens-'))
})
afterEach(async () => {
  await broker.stop()
  await rm(folder, { recursive: true })
})

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

const run = (argv: string[], env: Record<string, string>, more = {}) =>
  runInMemory(argv, { MAYFLY_URL: broker.url, ...env }, more)

describe('R1 who is calling', () => {
  test('a file named on the command line goes before the environment, and that before its file', async () => {
    const [option, variable] = [await file('a', 'from-option\n'), await file('b', 'from-file')]
    const open = [...OPEN, '--unsafe-print']
    await run([...open, '--token-file', option], { MAYFLY_TOKEN: 'from-env' })
    await run(open, { MAYFLY_TOKEN: 'from-env', MAYFLY_TOKEN_FILE: variable })
    await run(open, { MAYFLY_TOKEN_FILE: variable })
    expect(broker.calls.map(({ authorization }) => authorization)).toEqual([
      'Bearer from-option',
      'Bearer from-env',
      'Bearer from-file',
    ])
  })

  test('a token is never taken from the command line', async () => {
    const { status } = await run([...OPEN, '--unsafe-print', '--token', 'x'], {})
    expect(status).toBe(2)
  })

  test('in a GitHub Actions job, the runner vouches for it', async () => {
    const asked: Request[] = []
    const { status } = await run(
      [...OPEN, '--unsafe-print'],
      {
        ACTIONS_ID_TOKEN_REQUEST_URL: 'https://runner.test/token?v=1',
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'runner-secret',
      },
      {
        fetch: (input: string | URL, init: RequestInit) => {
          const request = new Request(input, init)
          if (!request.url.startsWith('https://runner.test')) return fetch(input, init)
          asked.push(request)
          return Promise.resolve(Response.json({ value: 'oidc-token', count: 1 }))
        },
      },
    )
    expect(status).toBe(0)
    const audience = encodeURIComponent(broker.url)
    expect(asked.map(({ url }) => url)).toEqual([
      `https://runner.test/token?v=1&audience=${audience}`,
    ])
    expect(asked[0]?.headers.get('authorization')).toBe('Bearer runner-secret')
    expect(broker.calls[0]?.authorization).toBe('Bearer oidc-token')
  })

  test.each([
    [OPEN.concat('--unsafe-print'), 'MAYFLY_TOKEN'],
    [['lease', '-t', 'x', '-a', 'y'], 'MAYFLY_TASK_TOKEN'],
    [['task', 'close'], 'MAYFLY_TASK_TOKEN'],
    [['leases'], 'MAYFLY_OPERATOR_TOKEN'],
  ])('%j without a token says where it is looked for', async (argv, name) => {
    const { status, stderr } = await run(argv, {})
    expect(status).toBe(2)
    expect(stderr).toContain(name)
    expect(broker.calls).toEqual([])
  })

  test('a token file that is missing or empty is not a missing token', async () => {
    const argv = [...OPEN, '--unsafe-print', '--token-file']
    expect((await run([...argv, join(folder, 'no')], {})).stderr).toContain('cannot be read')
    expect((await run([...argv, await file('e', '\n')], {})).stderr).toContain('is empty')
  })

  test('leases are listed for an operator, or else for the task', async () => {
    broker.answer('GET /v1/leases', { status: 200, body: { leases: [] } })
    await run(['leases'], { MAYFLY_OPERATOR_TOKEN: 'operator', MAYFLY_TASK_TOKEN: 'task' })
    await run(['leases'], { MAYFLY_TASK_TOKEN: 'task' })
    expect(broker.calls.map(({ authorization }) => authorization)).toEqual([
      'Bearer operator',
      'Bearer task',
    ])
  })
})

test.each(['http://broker.test', 'ftp://127.0.0.1', 'broker', '', undefined])(
  'R114 tokens are not sent to %p',
  async (url) => {
    const { status, stderr } = await runInMemory([...OPEN, '--unsafe-print'], {
      MAYFLY_URL: url,
      MAYFLY_TOKEN: 'x',
    })
    expect(status).toBe(2)
    expect(stderr).toContain('MAYFLY_URL')
  },
)

describe('R102 the task token', () => {
  const env = { MAYFLY_TOKEN: 'workload-token' }

  test('goes to a file that only its owner can read, and to no stream', async () => {
    const path = join(folder, 'task')
    const { status, stdout, stderr } = await run([...OPEN, '--task-token-file', path], env)
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `export MAYFLY_TASK_TOKEN_FILE=${path}\n`,
    })
    expect(await readFile(path, 'utf8')).toBe(TASK_TOKEN)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(stdout + stderr).not.toContain(TASK_TOKEN)
  })

  test('does not follow a link, nor keep the rights of a file that is there', async () => {
    const victim = await file('victim', 'precious')
    const path = join(folder, 'task')
    await symlink(victim, path)
    await run([...OPEN, '--task-token-file', path], env)
    expect(await readFile(victim, 'utf8')).toBe('precious')
    expect(await readFile(path, 'utf8')).toBe(TASK_TOKEN)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  test('is printed to whoever insists', async () => {
    const { stdout } = await run([...OPEN, '--unsafe-print'], env)
    expect(stdout).toBe(`export MAYFLY_TASK_TOKEN=${TASK_TOKEN}\n`)
    const json = await run([...OPEN, '--unsafe-print', '--json'], env)
    expect(JSON.parse(json.stdout)).toMatchObject({ task: { id: TASK_ID }, taskToken: TASK_TOKEN })
    const quiet = await run([...OPEN, '--task-token-file', join(folder, 't'), '--json'], env)
    expect(quiet.stdout).not.toContain(TASK_TOKEN)
    expect(quiet.stderr).toBe('')
  })

  test('says which task to close', async () => {
    const path = await file('task', TASK_TOKEN)
    const { stdout } = await run(['task', 'close'], { MAYFLY_TASK_TOKEN_FILE: path })
    expect(stdout).toBe(`task ${TASK_ID} is closed; 1 lease is being revoked\n`)
    expect(broker.routes()).toEqual([`POST /v1/tasks/${TASK_ID}/close`])
    const wrong = await run(['task', 'close'], { MAYFLY_TASK_TOKEN: 'ghs_something' })
    expect({ status: wrong.status, known: wrong.stderr.includes('ghs_') }).toEqual({
      status: 2,
      known: false,
    })
  })
})
