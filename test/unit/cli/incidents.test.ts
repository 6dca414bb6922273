import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

import { leaseBody, problem, startFakeBroker, type FakeBroker } from './fake-broker.ts'
import { runInMemory } from './terminal.ts'

let broker: FakeBroker
let env: Record<string, string>
beforeEach(async () => {
  broker = await startFakeBroker()
  env = { MAYFLY_URL: broker.url, MAYFLY_OPERATOR_TOKEN: 'x.y.z' }
})
afterEach(() => broker.stop())

const at = '2026-11-23T12:00:00.000Z'
const counts = {
  ...{ queued: 0, propagating: 0, failed: 0, irrevocable: 0 },
  ...{ revoked: 0, expired: 0, never_minted: 0, spared: 0 },
}

function containment(state: string, more: object) {
  return {
    ...{ id: 'cnt_1', selector: { repository: 'acme/payments' }, reason: 'r', incident: 'INC-1' },
    ...{ startedBy: 'people#r', startedAt: at, freezeId: 'frz_1', frozen: true, state, total: 2 },
    ...{ finishedAt: null, lastDiesAt: at, cancelledAt: null, cancelledBy: null },
    ...{ cancelReason: null, counts: { ...counts, ...more } },
  }
}

const member = {
  ...{ leaseId: 'lea_1', taskId: 'tsk_1', agent: 'codex', owner: 'o', template: 't' },
  ...{ provider: 'github', targets: ['github:repo:acme/payments'], leaseState: 'revoked' },
  ...{ state: 'revoked', revokedAt: at, proof: 'probe: 401', note: null, nextAttemptAt: null },
  diesAt: at,
}

const preview = {
  ...{ selector: { repository: 'acme/payments' }, total: 2, byProvider: { github: 2 } },
  ...{ byAgent: { codex: 2 }, byState: { active: 2 }, truncated: false },
  leases: [leaseBody('github', 'lea_1'), leaseBody('github', 'lea_2')],
  irrevocable: [{ leaseId: 'lea_2', until: at, reason: 'the response was lost' }],
  sideEffects: [
    { kind: 'aws_deny_policy', role: 'arn:aws:iam::1:role/x', sessions: 3 },
    { kind: 'tasks_frozen', tasks: 1 },
  ],
}

/** The containment goes this way, one look after the other; there is no stream unless told. */
function prepare(ending: object, leases: object[] = [member]): void {
  const begun = containment('revoking', { queued: 2 })
  broker.answer('POST /v1/containments', { status: 202, body: { containment: begun } })
  broker.answer('GET /v1/containments/cnt_1/events', { status: 502, body: {} })
  const detail = { containment: ending, leases }
  broker.answer('GET /v1/containments/cnt_1?limit=1', { status: 200, body: detail })
  broker.answer('GET /v1/containments/cnt_1', { status: 200, body: detail })
}

const FULL = '--repository acme/payments --reason leak --incident INC-1'.split(' ')

describe('mayfly contain', () => {
  test('R92 follows by asking where events do not come through, and exits with 0 when all is dead', async () => {
    prepare(containment('finished', { revoked: 2 }))
    const ran = await runInMemory(['contain', ...FULL, '--yes'], env)
    expect(ran.status).toBe(0)
    expect(ran.stderr).toBe('revoking: 0 of 2 dead, 2 queued\nfinished: 2 of 2 dead\n')
    expect(ran.stdout).toContain('probe: 401')
    expect(ran.stdout).toContain('nothing of it may be live')
    expect(ran.stdout).toContain('mayfly unfreeze frz_1')
    expect(broker.calls[0]?.body).toEqual({
      selector: { repository: 'acme/payments' },
      reason: 'leak',
      incident: 'INC-1',
    })
  })

  test('R92 exits with 3 while something may still be live', async () => {
    const irrevocable = { ...member, state: 'irrevocable', proof: null, note: 'lost' }
    prepare(containment('waiting', { revoked: 1, irrevocable: 1 }), [irrevocable])
    const ran = await runInMemory(['contain', ...FULL, '--yes', '--json'], env)
    expect(ran.status).toBe(3)
    expect(JSON.parse(ran.stdout)).toMatchObject({
      containment: { state: 'waiting' },
      leases: [{ state: 'irrevocable' }],
    })
  })

  test('a dry run shows what would die, and begins nothing', async () => {
    broker.answer('POST /v1/containments', { status: 200, body: { preview } })
    const args = ['contain', '--repository', 'acme/payments', '--dry-run']
    const { status, stdout } = await runInMemory(args, env)
    expect(status).toBe(0)
    expect(stdout).toContain('2 live leases match repository acme/payments: 2 github')
    expect(stdout).toContain('cannot be killed early: lea_2')
    expect(stdout).toContain('arn:aws:iam::1:role/x gets a policy that denies 3 sessions')
    expect(broker.calls.map(({ body }) => body)).toEqual([
      { selector: { repository: 'acme/payments' }, dryRun: true },
    ])
  })

  test('R92 asks for the number of leases, and does nothing for any other answer', async () => {
    broker.answer('POST /v1/containments', { status: 200, body: { preview } })
    for (const stdin of ['1\n', 'yes\n', '']) {
      const more = { isTTY: true, stdin }
      const ran = await runInMemory(['contain', ...FULL], env, more)
      expect([ran.status, ran.stderr]).toEqual([2, expect.stringContaining('Type 2 to kill')])
      expect(ran.stderr).toContain('not confirmed: nothing was changed')
    }
    expect(broker.calls.every(({ body }) => (body as { dryRun?: boolean }).dryRun === true)).toBe(
      true,
    )
  })

  test('asks nobody where there is no terminal', async () => {
    const ran = await runInMemory(['contain', ...FULL], env, { stdin: '2\n' })
    expect([ran.status, ran.stderr]).toEqual([2, expect.stringContaining('--yes')])
    expect(broker.calls).toEqual([])
  })

  test.each([
    ['no selector', ['--reason', 'r', '--incident', 'i']],
    ['an unknown option', [...FULL, '--repo', 'x']],
    ['a repository without its owner', ['--repository', 'payments', '--reason', 'r']],
    ['no reason', ['--everything', '--incident', 'i', '--yes']],
    ['no incident', ['--everything', '--reason', 'r', '--yes']],
    ['a freeze for no time', [...FULL, '--yes', '--freeze-for', 'soon']],
  ])('%s is a mistake on the command line', async (_what, args) => {
    expect((await runInMemory(['contain', ...args], env)).status).toBe(2)
    expect(broker.calls).toEqual([])
  })

  test('a refusal has the code of the broker', async () => {
    broker.answer('POST /v1/containments', problem('selector_matches_nothing', 422))
    const ran = await runInMemory(['contain', ...FULL, '--yes'], env)
    expect([ran.status, ran.stderr]).toEqual([
      1,
      expect.stringContaining('selector_matches_nothing'),
    ])
  })
})

describe('freezes', () => {
  const freeze = {
    ...{ id: 'frz_1', selector: { provider: 'aws' }, reason: 'r', createdBy: 'people#r' },
    ...{ createdAt: at, expiresAt: null, liftedAt: null, liftedBy: null, liftReason: null },
    ...{ inForce: true, containmentId: null },
  }

  test('R93 are made, listed and lifted', async () => {
    broker.answer('POST /v1/freezes', { status: 201, body: { freeze } })
    const made = await runInMemory(['freeze', '--provider', 'aws', '--reason', 'r'], env)
    expect(made).toMatchObject({
      status: 0,
      stdout: 'frz_1 in force: provider aws, until it is lifted\n',
    })
    broker.answer('GET /v1/freezes?inForce=true', { status: 200, body: { freezes: [freeze] } })
    expect((await runInMemory(['freezes'], env)).stdout).toMatch(/frz_1 +in force +provider aws/)
    const lifted = { ...freeze, inForce: false, liftedAt: at, liftedBy: 'people#r' }
    broker.answer('POST /v1/freezes/frz_1/lift', { status: 200, body: { freeze: lifted } })
    const ran = await runInMemory(['unfreeze', 'frz_1', '--reason', 'over', '--json'], env)
    expect(JSON.parse(ran.stdout)).toEqual({ freeze: lifted })
    expect(broker.calls.at(-1)?.body).toEqual({ reason: 'over' })
  })

  test('need a reason, and which one', async () => {
    for (const args of [
      ['freeze', '--everything'],
      ['unfreeze', 'frz_1'],
      ['unfreeze', '--reason', 'r'],
    ]) {
      expect((await runInMemory(args, env)).status).toBe(2)
    }
    expect(broker.calls).toEqual([])
  })
})

describe('mayfly watch', () => {
  const route = 'GET /v1/leases?live=true&limit=1000'

  test('writes a line for each change where there is no terminal', async () => {
    broker.answer(route, { status: 200, body: { leases: [], truncated: false } })
    broker.answer(
      route,
      { status: 200, body: { leases: [leaseBody('github', 'lea_1')], truncated: false } },
      1,
    )
    const run = runInMemory(['watch', '--count', '1'], env)
    expect((await run).stdout).toBe('lea_1 active github payments-claude github:target\n')
  })

  test('redraws in place on a terminal', async () => {
    broker.answer(route, {
      status: 200,
      body: { leases: [leaseBody('github', 'lea_1')], truncated: false },
    })
    const { stdout } = await runInMemory(['watch', '--count', '1'], env, { isTTY: true })
    expect(stdout.startsWith('\u001B[H1 live leases at ')).toBe(true)
    expect(stdout).toContain('lea_1')
  })
})

describe('webhooks', () => {
  const webhook = {
    name: 'soc',
    origin: 'https://hooks.example',
    events: ['*'],
    state: 'failing',
    failures: 9,
    failingSince: '2026-11-23T12:00:00.000Z',
    lastFailure: 'refused',
    nextAttemptAt: '2026-11-23T12:10:00.000Z',
    pending: 10_000,
    pendingOrMore: true,
    oldestPendingAt: '2026-11-23T11:00:00.000Z',
  }

  test('are listed with what keeps them from being delivered', async () => {
    broker.answer('GET /v1/webhooks', { status: 200, body: { webhooks: [webhook] } })
    expect((await runInMemory(['webhooks'], env)).stdout).toMatch(
      /soc +failing +10000\+ +2026-11-23T11:00:00.000Z +9 .* +refused +https:\/\/hooks.example/,
    )
    const { stdout } = await runInMemory(['webhooks', '--json'], env)
    expect(JSON.parse(stdout)).toEqual({ webhooks: [webhook] })
  })

  test('that do not exist are no error', async () => {
    broker.answer('GET /v1/webhooks', { status: 200, body: { webhooks: [] } })
    expect(await runInMemory(['webhooks'], env)).toEqual({
      status: 0,
      stdout: '',
      stderr: 'no webhooks\n',
    })
  })
})
