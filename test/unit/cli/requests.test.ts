import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

import { startFakeBroker, TASK_TOKEN, type FakeBroker } from './fake-broker.ts'
import { runInMemory } from './terminal.ts'

let broker: FakeBroker
beforeAll(async () => {
  broker = await startFakeBroker()
})
afterAll(() => broker.stop())

const node = process.execPath

const env = () => ({
  MAYFLY_URL: broker.url,
  MAYFLY_TOKEN: 'workload-token',
  MAYFLY_TASK_TOKEN: TASK_TOKEN,
})

/** What the broker was asked for by a command line. */
async function asked(...argv: string[]): Promise<unknown> {
  expect(await runInMemory(argv, env())).toMatchObject({ status: 0 })
  return broker.calls.at(-1)?.body
}

const OPEN = ['task', 'open', '--intent', 'why', '--unsafe-print']

test('actions and parameters belong to the template before them', async () => {
  const body = await asked(
    ...OPEN,
    ...['-t', 'github', '-a', 'repo.read', '--action', 'repo.write', '-p', 'repo=acme/x'],
    ...['--template', 'aws', '-a', 'infra.change'],
    ...['--ttl', '1h', '--ticket', 'PAY-1'],
  )
  expect(body).toEqual({
    intent: { reason: 'why', ticket: 'PAY-1' },
    declarations: [
      { template: 'github', actions: ['repo.read', 'repo.write'], parameters: { repo: 'acme/x' } },
      { template: 'aws', actions: ['infra.change'], parameters: {} },
    ],
    ttlSeconds: 3600,
  })
})

test.each([
  ['a=b', { a: 'b' }],
  ['a=', { a: '' }],
  ['a=b=c', { a: 'b=c' }],
  ['number=42', { number: '42' }],
  ['number:=42', { number: 42 }],
  ['number:=-1', { number: -1 }],
  ['truth:=true', { truth: true }],
  ['path=:=', { path: ':=' }],
])('the parameter %s is %j', async (text, parameters) => {
  expect(await asked('lease', '-t', 'x', '-a', 'y', '-p', text)).toMatchObject({ parameters })
})

test.each([
  ['90', 90],
  ['90s', 90],
  ['10m', 600],
  ['2h', 7200],
])('the TTL %s is %d seconds', async (ttl, ttlSeconds) => {
  const body = await asked('lease', '-t', 'x', '-a', 'y', '--ttl', ttl)
  expect(body).toMatchObject({ ttlSeconds })
})

describe('a command line that makes no sense is refused before anybody is asked', () => {
  const lease = ['lease', '-t', 'x', '-a', 'y']
  test.each([
    ['an unknown command', ['lend']],
    ['half a command', ['task']],
    ['a name that every object has', ['constructor']],
    ['an unknown option', [...lease, '--force']],
    ['an option without a value', [...lease, '--ttl']],
    ['a stray word', [...lease, 'now']],
    ['an action before its template', ['lease', '-a', 'y', '-t', 'x']],
    ['a parameter without a value', [...lease, '-p', 'a']],
    ['a parameter without a name', [...lease, '-p', '=a']],
    ['a parameter twice', [...lease, '-p', 'a=1', '-p', 'a=2']],
    ['a typed parameter that is text', [...lease, '-p', 'a:=b']],
    ['a typed parameter that is a fraction', [...lease, '-p', 'a:=1.5']],
    ['a TTL of nothing', [...lease, '--ttl', '0']],
    ['a TTL in days', [...lease, '--ttl', '1d']],
    ['two templates for one lease', [...lease, ...lease.slice(1)]],
    ['no template', ['lease']],
    ['a task without a reason', ['task', 'open', '-t', 'x', '-a', 'y', '--unsafe-print']],
    ['a task without an action', [...OPEN, '-t', 'x']],
    ['a task without a template', OPEN],
    ['a task whose token goes nowhere', ['task', 'open', '--intent', 'a', '-t', 'x', '-a', 'y']],
    ['two tasks to close', ['task', 'close', 'a', 'b']],
    ['nothing to run', ['run', '-t', 'x', '-a', 'y']],
    ['nothing to run after --', ['run', '-t', 'x', '-a', 'y', '--']],
    ['nothing to apply', ['apply']],
    ['a limit out of bounds', ['leases', '--limit', '0']],
  ])('%s', async (_, argv) => {
    const before = broker.calls.length
    const { status, stdout, stderr } = await runInMemory(argv, env())
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(/^mayfly: .*\(usage\)\n$/s)
    expect(broker.calls).toHaveLength(before)
  })
})

test('every command explains itself', async () => {
  const commands = ['run', 'task open', 'task close', 'lease', 'leases', 'apply']
  for (const command of commands) {
    const { status, stdout } = await runInMemory([...command.split(' '), '--help'], {})
    expect({ status, first: stdout.split('\n')[0] }).toEqual({
      status: 0,
      first: expect.stringContaining(`mayfly ${command}`) as unknown,
    })
  }
  const { stdout } = await runInMemory([], {})
  for (const command of commands) expect(stdout).toContain(`mayfly ${command}`)
})

test("--help after -- is the command's own", async () => {
  const { status } = await runInMemory(
    ['run', '-t', 'github', '-a', 'y', '--', node, '-e', 'process.exit(9)', 'x', '--help'],
    env(),
  )
  expect(status).toBe(9)
})
