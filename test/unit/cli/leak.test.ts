import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

import { leaseBody, problem, startFakeBroker, task, type FakeBroker } from './fake-broker.ts'
import { runInMemory } from './terminal.ts'

const canary = `ghs_${'canary'.repeat(8)}`
const sha256 = createHash('sha256').update(canary).digest('hex')

let broker: FakeBroker
let env: Record<string, string>
let folder: string
beforeEach(async () => {
  broker = await startFakeBroker()
  env = { MAYFLY_URL: broker.url, MAYFLY_OPERATOR_TOKEN: 'operator' }
  folder = mkdtempSync(join(tmpdir(), 'mayfly-leak-'))
})
afterEach(async () => {
  await broker.stop()
  rmSync(folder, { recursive: true })
})

function answerWith(outcome: string | null): object {
  const leaked = {
    outcome,
    lease: { ...leaseBody('github'), state: 'revoked', revocationProof: 'GitHub answered 401' },
    owner: 'ada@acme.example',
    subject: 'github-actions#repo:acme/payments',
    task,
    decision: {
      id: 'dec_1',
      decidedAt: '2026-11-23T12:00:00.000Z',
      policies: ['own-repo'],
      policyDigest: 'abc',
      policySetVersion: 3,
    },
    events: [
      { at: '2026-11-23T12:00:00.000Z', type: 'lease.pending', subject: null, facts: {} },
      { at: '2026-11-23T12:00:01.000Z', type: 'lease.active', subject: null, facts: {} },
    ],
  }
  const body = { found: outcome !== null, leases: outcome === null ? [] : [leaked] }
  broker.answer('POST /v1/leaks', { status: 200, body })
  return body
}

describe('mayfly leak', () => {
  test('reads standard input, sends the hash alone, and tells the story', async () => {
    answerWith('dead_now')
    const { status, stdout, stderr } = await runInMemory(['leak'], env, { stdin: `${canary}\n` })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(broker.calls).toEqual([
      { route: 'POST /v1/leaks', authorization: 'Bearer operator', body: { sha256 } },
    ])
    expect(stdout).toBe(`This credential is dead now.
lease       lea_github (revoked)
template    github version 3
actions     repo.read
targets     github:target
ends        2026-11-23T12:10:00.000Z
dies by     2026-11-23T13:00:00.000Z
agent       payments-claude, for ada@acme.example
subject     github-actions#repo:acme/payments
task        tsk_01JDTASK
intent      fix the build
decision    dec_1 by own-repo
proof       GitHub answered 401

  2026-11-23T12:00:00.000Z  lease.pending
  2026-11-23T12:00:01.000Z  lease.active
`)
  })

  test('reads a file, and answers programs with JSON', async () => {
    const body = answerWith('dead_before')
    const file = join(folder, 'found')
    writeFileSync(file, `${canary}\n`)
    const { status, stdout } = await runInMemory(['leak', '--file', file, '--json'], env)
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toEqual(body)
    expect(broker.calls[0]?.body).toEqual({ sha256 })
  })

  test.each([
    ['dead_before', 0],
    ['dead_now', 0],
    ['may_be_live', 3],
    [null, 4],
  ])('when the outcome is %s, exits with %d', async (outcome, expected) => {
    answerWith(outcome)
    const { status } = await runInMemory(['leak', '--sha256', sha256], env)
    expect(status).toBe(expected)
  })

  test.each([
    ['nothing on standard input', [], ''],
    ['blanks', [], ' \n'],
    ['two credentials', [], `${canary}\n${canary}`],
    ['too much', [], 'x'.repeat(40_000)],
    ['a file that is not there', ['--file', '/nowhere/canary-file'], ''],
    ['a file and a hash', ['--file', 'x', '--sha256', sha256], ''],
    ['the credential as an argument', [canary], ''],
    ['the credential as an option', ['--credential', canary], ''],
  ])('refuses %s before anything is sent', async (_name, args, stdin) => {
    const { status, stdout, stderr } = await runInMemory(['leak', ...args], env, { stdin })
    expect(stderr).not.toContain('ghs_')
    expect({ status, stdout, calls: broker.calls }).toEqual({ status: 2, stdout: '', calls: [] })
  })

  test('says what the broker says', async () => {
    broker.answer('POST /v1/leaks', problem('role_required', 403))
    const { status, stderr } = await runInMemory(['leak'], env, { stdin: canary })
    expect(status).toBe(1)
    expect(stderr).toContain('(role_required)')
    expect(stderr).not.toContain('canary')
  })
})
