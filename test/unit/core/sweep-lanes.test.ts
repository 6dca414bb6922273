import { expect, test } from '@jest/globals'
import { makeSweep, type ClaimedLease, type Lease, type Sweep } from '@mayfly/core'

const here = new AbortController().signal

function claimedOf(id: string, connection: string): ClaimedLease {
  // Only what a sweep looks at.
  const lease = { id, connection } as Lease
  return { lease, handle: null, attempt: 1, from: 'active', sentAt: null, now: new Date() }
}

/** Due leases of two connections, one of which can be made to hang. */
function makeWorld(due: ClaimedLease[]) {
  const most = new Map<string, number>()
  const running = new Map<string, number>()
  let release: (() => void) | null = null
  const hung = new Promise<void>((resolve) => (release = resolve))
  let loseIt: (() => void) | null = null
  const patience = new Promise<void>((resolve) => (loseIt = resolve))
  const revoked: string[] = []
  const sweep: Sweep = makeSweep({
    leases: {
      claimMany: ({ limit, except }) => {
        const free = due.filter(({ lease }) => !except.includes(lease.connection)).slice(0, limit)
        for (const one of free) due.splice(due.indexOf(one), 1)
        return Promise.resolve({ claimed: free, expired: 0 })
      },
    },
    tasks: { overdue: () => Promise.resolve([]) },
    closeTask: () => Promise.reject(new Error('none is overdue')),
    resumeContainments: () => Promise.resolve(0),
    async revoke({ lease: { id, connection } }) {
      running.set(connection, (running.get(connection) ?? 0) + 1)
      most.set(connection, Math.max(most.get(connection) ?? 0, running.get(connection) ?? 0))
      if (connection === 'slow') await hung
      else await Promise.resolve()
      running.set(connection, (running.get(connection) ?? 0) - 1)
      revoked.push(id)
      return { outcome: 'revoked' }
    },
    ...{ batchSize: 4, concurrency: 2, visibilitySeconds: 30 },
    patience: () => patience,
    report: () => undefined,
  })
  return { sweep, revoked, most, release: () => release?.(), loseIt: () => loseIt?.() }
}

const many = (connection: string, count: number): ClaimedLease[] =>
  Array.from({ length: count }, (_, index) =>
    claimedOf(`${connection}${String(index)}`, connection),
  )

test('no connection gets more revocations at once than it may have', async () => {
  const world = makeWorld([...many('one', 9), ...many('two', 9)])
  expect(await world.sweep(here)).toMatchObject({ revoked: 18, more: false })
  expect([...world.most.values()]).toEqual([2, 2])
})

test('a connection that hangs keeps none of the others waiting, nor the next pass', async () => {
  const world = makeWorld([...many('slow', 9), ...many('fast', 9)])
  const pass = world.sweep(here)
  await Promise.resolve()
  const fast = many('fast', 9).map(({ lease }) => lease.id)
  while (!fast.every((id) => world.revoked.includes(id))) await new Promise(setImmediate)
  world.loseIt()
  expect(await pass).toMatchObject({ revoked: 9, more: true })
  expect(world.most.get('slow')).toBe(2)
  world.release()
  // A pass that may take nothing waits for what is in hand.
  expect(await world.sweep(AbortSignal.abort())).toMatchObject({ revoked: 4, more: false })
})
