import { describe, expect, test } from '@jest/globals'
import {
  makeOpenTask,
  MayflyError,
  type NewTask,
  type OpenTask,
  type PolicySet,
  type Workload,
} from '@mayfly/core'

import { TASK } from './world.ts'

const workload: Workload = {
  token: {
    issuer: 'ci',
    subject: 'repo:acme/web',
    claims: {},
    tokenId: 'jti',
    issuedAt: null,
    expiresAt: TASK.notAfter,
  },
  agent: {
    kind: 'Agent',
    name: 'codex',
    agentKind: 'ci',
    owner: 'ada@acme.example',
    team: 'web',
    environment: 'development',
    quarantined: false,
    identities: [],
  },
}

function world(): { opened: NewTask[]; openTask: OpenTask } {
  const opened: NewTask[] = []
  const openTask = makeOpenTask({
    policies: { current: () => ({}) as PolicySet }, // only handed on to `declare`
    declare: () => [],
    tasks: {
      open: (task) => {
        opened.push(task)
        return Promise.resolve(TASK)
      },
    },
    newId: () => 'tsk_1',
    defaultLifetimeSeconds: 3600,
    maxLifetimeSeconds: 7200,
  })
  return { opened, openTask }
}

const input = { workload, intent: { reason: 'x' }, declarations: [], idempotency: null }

describe('opening a task', () => {
  test('R16 it belongs to the agent behind the token, and ends by default', async () => {
    const { opened, openTask } = world()
    await openTask(input)
    expect(opened).toEqual([
      {
        id: 'tsk_1',
        token: workload.token,
        agent: 'codex',
        owner: 'ada@acme.example',
        environment: 'development',
        intent: { reason: 'x' },
        declarations: [],
        lifetimeSeconds: 3600,
        idempotency: null,
      },
    ])
  })

  test.each([
    [0, 'ttl_invalid'],
    [-1, 'ttl_invalid'],
    [0.5, 'ttl_invalid'],
    [7201, 'ttl_too_long'],
  ])('a lifetime of %d seconds is refused with %s, and nothing is stored', async (ttl, code) => {
    const { opened, openTask } = world()
    const error: unknown = await openTask({ ...input, ttlSeconds: ttl }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(MayflyError)
    expect(error).toMatchObject({ code })
    expect(opened).toEqual([])
  })
})
