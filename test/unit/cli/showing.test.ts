import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

import { leaseBody, problem, startFakeBroker, TASK_TOKEN, type FakeBroker } from './fake-broker.ts'
import { runInMemory } from './terminal.ts'

let broker: FakeBroker
let env: Record<string, string>
beforeEach(async () => {
  broker = await startFakeBroker()
  env = { MAYFLY_URL: broker.url, MAYFLY_TASK_TOKEN: TASK_TOKEN }
})
afterEach(() => broker.stop())

const LEASE = ['lease', '-t', 'github', '-a', 'repo.write']

describe('R102 a credential', () => {
  test('is not shown unless somebody insists', async () => {
    const { status, stdout, stderr } = await runInMemory(LEASE, env)
    expect(status).toBe(0)
    expect(stdout).toBe(`lease       lea_github (active)
template    github version 3
actions     repo.read
targets     github:target
ends        2026-11-23T12:10:00.000Z
dies by     2026-11-23T13:00:00.000Z
`)
    expect(stderr).toBe('mayfly: the credential is not shown; see `mayfly lease --help`\n')
    const json = await runInMemory([...LEASE, '--json'], env)
    expect(JSON.parse(json.stdout)).toEqual({ lease: leaseBody('github'), credential: null })
  })

  test('is shown as what a shell can read, or as JSON', async () => {
    const { stdout } = await runInMemory(
      ['lease', '-t', 'database', '-a', 'secret.read', '--unsafe-print'],
      env,
    )
    expect(stdout).toBe(`export DB_USERNAME=v-user\nexport DB_PASSWORD='it'\\''s a canary'\n`)
    const json = await runInMemory([...LEASE, '--unsafe-print', '--json'], env)
    expect(JSON.parse(json.stdout)).toEqual({
      lease: leaseBody('github'),
      credential: { token: 'ghs_canary', username: 'x-access-token' },
    })
    expect(json.stderr).toBe('')
  })
})

describe('leases', () => {
  const irrevocable = { reason: 'the answer was lost', diesAt: '2026-11-23T13:00:00.000Z' }
  const list = [
    { ...leaseBody('github', 'lea_1'), irrevocable },
    {
      ...leaseBody('aws', 'lea_2'),
      state: 'revoked',
      endedAt: '2026-11-23T12:05:00.000Z',
      revocationProof: 'deny read back',
      targets: ['aws:role:a', 'aws:account:1'],
    },
  ]

  test('are a table that greps', async () => {
    broker.answer('GET /v1/leases', { status: 200, body: { leases: list, truncated: false } })
    const { stdout } = await runInMemory(['leases'], env)
    const lines = stdout.split('\n').map((line) => line.trimEnd().split(/ {2,}/))
    expect(lines).toEqual([
      ['LEASE', 'STATE', 'TEMPLATE', 'TARGETS', 'AGENT', 'ENDS', 'NOTE'],
      [
        ...['lea_1', 'active', 'github', 'github:target', 'payments-claude'],
        ...['2026-11-23T12:10:00.000Z', 'cannot be revoked: the answer was lost'],
      ],
      [
        ...['lea_2', 'revoked', 'aws', 'aws:role:a', 'payments-claude'],
        ...['2026-11-23T12:05:00.000Z', 'deny read back'],
      ],
      ['', 'aws:account:1'],
      [''],
    ])
  })

  test('have colours on a terminal, and nowhere else', async () => {
    broker.answer('GET /v1/leases', { status: 200, body: { leases: list, truncated: false } })
    const escape = '\u001B['
    const colored = async (isTTY: boolean, more = {}) =>
      (await runInMemory(['leases'], { ...env, ...more }, { isTTY })).stdout.includes(escape)
    expect(await colored(true)).toBe(true)
    expect(await colored(false)).toBe(false)
    expect(await colored(true, { NO_COLOR: '1' })).toBe(false)
  })

  test('are asked for by what the options say', async () => {
    const path =
      '/v1/leases?task=tsk_1&agent=a&templateVersion=2&repository=acme%2Fx&awsAccount=123456789012' +
      '&target=github%3Aorg%3Aacme&live=true&limit=5'
    broker.answer(`GET ${path}`, { status: 200, body: { leases: [], truncated: true } })
    const { status, stdout, stderr } = await runInMemory(
      [
        ...['leases', '--live', '--target', 'github:org:acme', '--agent', 'a', '--limit', '5'],
        ...['--task', 'tsk_1', '--repository', 'acme/x', '--aws-account', '123456789012'],
        ...['--template-version', '2', '--json'],
      ],
      env,
    )
    expect({ status, body: JSON.parse(stdout) as unknown, stderr }).toEqual({
      status: 0,
      body: { leases: [], truncated: true },
      stderr: 'there are more: ask with a larger --limit\n',
    })
    const mistaken = await runInMemory(['leases', '--repository', 'x'], env)
    expect(mistaken).toMatchObject({ status: 2, stderr: expect.stringContaining('--repository') })
  })

  test('cannot rewrite the terminal that shows them', async () => {
    const evil = {
      ...leaseBody('x', 'lea_1'),
      provider: 'github',
      agent: 'a\u001B]0;b\u0007\u202Ec',
    }
    broker.answer('GET /v1/leases', { status: 200, body: { leases: [evil], truncated: false } })
    const { stdout } = await runInMemory(['leases'], env)
    expect(stdout).toContain('a\uFFFD]0;b\uFFFD\uFFFDc')
  })
})

describe('a refusal', () => {
  const explanation = {
    code: 'denied',
    message: 'only your own repository',
    rule: 'own-repo',
    nearest: {
      template: 'github',
      actions: ['repo.read'],
      parameters: { repo: "acme/it's", depth: 1 },
      ttlSeconds: 600,
    },
  }

  test('says what failed and what would pass, ready to be pasted', async () => {
    const detail = 'the policy does not allow this'
    broker.answer('POST /v1/leases', problem('denied', 403, { detail, explanation }))
    const { status, stdout, stderr } = await runInMemory(LEASE, env)
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toBe(`mayfly: the policy does not allow this (denied)
  only your own repository
  rule: own-repo
  this would pass: mayfly run --template github --action repo.read --param 'repo=acme/it'\\''s' --param depth:=1 --ttl 600s -- COMMAND
  request: req_1
`)
  })

  test('is one JSON document for programs', async () => {
    broker.answer('POST /v1/leases', problem('denied', 403, { explanation }))
    const { status, stdout } = await runInMemory([...LEASE, '--json'], env)
    expect(status).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'denied', explanation } })
  })

  test('that may pass later has a status of its own, and says when', async () => {
    broker.answer('POST /v1/leases', {
      ...problem('provider_throttled', 503, { retryable: true }),
      headers: { 'retry-after': '7' },
    })
    const { status, stderr } = await runInMemory(LEASE, env)
    expect(status).toBe(75)
    expect(stderr).toContain('try again in 7 s')
  })

  test('cannot rewrite the terminal that shows it', async () => {
    broker.answer('POST /v1/leases', problem('denied', 403, { detail: 'a\u001B[2Jb\nc' }))
    const { stderr } = await runInMemory(LEASE, env)
    expect(stderr).toContain('mayfly: a\uFFFD[2Jb\uFFFDc (denied)')
  })
})

test('a broker that is not there may be there later', async () => {
  await broker.stop()
  const { status, stderr } = await runInMemory(LEASE, env)
  expect(status).toBe(75)
  expect(stderr).toContain('(broker_unreachable)')
})

test('an answer that is not the broker’s is a failure, and is not shown', async () => {
  broker.answer('POST /v1/leases', { status: 201, body: { credential: 'ghs_canary' } })
  const { status, stdout, stderr } = await runInMemory(LEASE, env)
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
  expect(stderr).not.toContain('ghs_canary')
})
