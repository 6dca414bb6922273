import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import type { ClaimedWebhook, Webhook } from '@mayfly/core'
import pg from 'pg'

import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'
import { until } from '../../support/until.ts'

let world: StoreWorld
beforeAll(async () => {
  world = await startStoreWorld()
})
afterAll(() => world.close())

let made = 0
let name = ''
beforeEach(() => {
  made += 1
  name = `hook-${String(made)}`
})

async function claim(store = world.store): Promise<ClaimedWebhook> {
  const claimed = await store.webhooks.claim(name, 30)
  if (!claimed) throw new Error('not free')
  return claimed
}

const record = (mark: string): Promise<void> =>
  world.store.audit.record({ type: 'leak.reported', data: { reason: mark } })

/** Other test files share the server, and so the horizon: wait until it has passed what was written. */
async function marksAfter(claimed: ClaimedWebhook, expected: number): Promise<readonly unknown[]> {
  let marks: readonly unknown[] = []
  await until(async () => {
    const { events } = await world.store.webhooks.next(claimed, 1000)
    marks = events.map(({ facts }) => facts['reason'])
    return marks.length >= expected
  })
  return marks
}

async function session(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: world.connectionString })
  await client.connect()
  await client.query('BEGIN')
  return client
}

const INSERT = `INSERT INTO audit_events (type, data)
  VALUES ('leak.reported', jsonb_build_object('reason', $1::text))`

describe('the outbox', () => {
  test('begins where the webhook was asked for, and not before', async () => {
    await record('before')
    const claimed = await claim()
    await record('after')
    expect(await marksAfter(claimed, 1)).toEqual(['after'])
  })

  test('G13 never tells what did not commit', async () => {
    const claimed = await claim()
    const client = await session()
    await client.query(INSERT, ['rolled back'])
    await client.query('ROLLBACK')
    await client.end()
    await record('committed')
    expect(await marksAfter(claimed, 1)).toEqual(['committed'])
  })

  test('does not overtake a transaction that began earlier and commits later', async () => {
    const claimed = await claim()
    const slow = await session()
    await slow.query(INSERT, ['slow'])
    await record('quick')

    const early = await world.store.webhooks.next(claimed, 100)
    expect(early.events).toEqual([])
    // Even a cursor that moves on to the end of what is complete does not pass it by.
    expect(await world.store.webhooks.advance(claimed, early.end)).toBe(true)

    await slow.query('COMMIT')
    await slow.end()
    expect(await marksAfter({ ...claimed, position: early.end }, 2)).toEqual(['slow', 'quick'])
  })

  test('gives the same order however often it is asked, batch by batch', async () => {
    const claimed = await claim()
    const marks = Array.from({ length: 25 }, (_, index) => `mark ${String(index)}`)
    await Promise.all(marks.map(record))
    const all = await marksAfter(claimed, marks.length)
    expect([...all].sort()).toEqual([...marks].sort())

    const inBatches: unknown[] = []
    let position = claimed.position
    for (;;) {
      const { events, end } = await world.store.webhooks.next({ ...claimed, position }, 7)
      inBatches.push(...events.map(({ facts }) => facts['reason']))
      position = end
      if (events.length < 7) break
    }
    expect(inBatches).toEqual(all)
  })

  test('tells an event by its type, its ids and its facts', async () => {
    const claimed = await claim()
    await world.store.audit.record({
      type: 'lease.revoked',
      subject: 's',
      agent: 'a',
      taskId: 'tsk_1',
      leaseId: 'lea_1',
      decisionId: 'dec_1',
      data: { proof: 'p', fingerprints: ['sha'], intent: { reason: 'free text' } },
    })
    await marksAfter(claimed, 1)
    const { events } = await world.store.webhooks.next(claimed, 10)
    expect(events).toEqual([
      {
        id: expect.stringMatching(/^evt_\d+$/),
        type: 'lease.revoked',
        at: expect.any(Date),
        subject: 's',
        agent: 'a',
        taskId: 'tsk_1',
        leaseId: 'lea_1',
        decisionId: 'dec_1',
        facts: { proof: 'p' },
        position: { transactionId: expect.any(String), seq: expect.any(String) },
      },
    ])
  })
})

describe('a claim', () => {
  test('is for one worker at a time', async () => {
    await claim()
    const another = world.another()
    expect(await another.webhooks.claim(name, 30)).toBeNull()
    const many = await Promise.all(
      Array.from({ length: 8 }, () => another.webhooks.claim(`${name}-x`, 30)),
    )
    expect(many.filter((one) => one !== null)).toHaveLength(1)
  })

  test('that is over fences off who had it', async () => {
    const first = await claim()
    await world.sql(`UPDATE webhook_cursors SET claimed_until = now() WHERE name = $1`, [name])
    const second = await claim()
    const { webhooks } = world.store
    expect(await webhooks.advance(first, { transactionId: '1', seq: '1' })).toBe(false)
    await webhooks.postpone(first, { note: 'refused', delaySeconds: 60, failing: true })
    await webhooks.release(first)
    expect(await webhooks.advance(second, second.position)).toBe(true)
    const [row] = await world.sql('SELECT failures FROM webhook_cursors WHERE name = $1', [name])
    expect(row).toEqual({ failures: 0 })
  })

  test('waits after a failure, counts it, and starts anew after a success', async () => {
    const { webhooks } = world.store
    const claimed = await claim()
    await webhooks.postpone(claimed, { note: 'refused', delaySeconds: 3600, failing: false })
    expect(await webhooks.claim(name, 30)).toBeNull()
    await world.sql('UPDATE webhook_cursors SET due_at = now() WHERE name = $1', [name])
    const again = await claim()
    expect(again).toMatchObject({ failures: 1, position: claimed.position })
    await webhooks.advance(again, again.position)
    await webhooks.release(again)
    expect(await claim()).toMatchObject({ failures: 0 })
  })

  test('marks a failing webhook, and says so once in the audit log, and once when it is over', async () => {
    const { webhooks } = world.store
    const failing = await webhooks.failing()
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const claimed = await claim()
      await webhooks.postpone(claimed, { note: 'timed_out', delaySeconds: 0, failing: true })
      expect(await webhooks.failing()).toBe(failing + 1)
    }
    const claimed = await claim()
    await webhooks.advance(claimed, claimed.position)
    await webhooks.advance(claimed, claimed.position)
    expect(await webhooks.failing()).toBe(failing)
    const events = await world.sql(
      `SELECT type, data FROM audit_events WHERE data ->> 'webhook' = $1 ORDER BY seq`,
      [name],
    )
    expect(events).toEqual([
      { type: 'webhook.failing', data: { webhook: name, note: 'timed_out' } },
      { type: 'webhook.recovered', data: { webhook: name } },
    ])
  })

  test('goes on after a restore into a server that counts its transactions from a lower number', async () => {
    const claimed = await claim()
    await world.store.webhooks.release(claimed)
    await world.sql('UPDATE webhook_cursors SET txid = 9000000000000 WHERE name = $1', [name])
    const restored = await claim()
    await record('after the restore')
    expect(await marksAfter(restored, 1)).toEqual(['after the restore'])
  })
})

test('a webhook that is gone is forgotten, by whoever knows the newest policy set', async () => {
  const { webhooks, policySets } = world.store
  await claim()
  const { policySet } = await policySets.apply({
    documents: [{ kind: 'Owner', metadata: { name: 'dana' } }],
    digest: 'd',
    appliedBy: 'x',
  })
  const left = async (): Promise<number> =>
    (await world.sql('SELECT 1 FROM webhook_cursors WHERE name = $1', [name])).length
  await webhooks.keepOnly([], policySet.version - 1)
  await webhooks.keepOnly([name], policySet.version)
  expect(await left()).toBe(1)
  await webhooks.keepOnly([], policySet.version)
  expect(await left()).toBe(0)

  // The next one of that name begins with the set that brought it.
  await record('since then')
  expect(await marksAfter(await claim(), 1)).toEqual(['since then'])
})

describe('how a webhook stands', () => {
  const stateOf = async (events: readonly string[]) => {
    const webhook = { kind: 'Webhook', name, url: 'https://x.example', events, secret: 'env:X' }
    const [state] = await world.store.webhookStates.of([webhook as Webhook])
    return state
  }

  test('it is new until a worker has looked at it', async () => {
    expect(await stateOf(['*'])).toEqual({
      name,
      known: false,
      failures: 0,
      failingSince: null,
      note: null,
      nextAttemptAt: null,
      pending: 0,
      pendingOrMore: false,
      oldestPendingAt: null,
    })
  })

  test('what it asked for and has not received is counted, and nothing else', async () => {
    const claimed = await claim()
    const asked = [['leak.reported'], ['webhook.*', 'leak.*'], ['*'], ['lease.*']]
    const counts = () => Promise.all(asked.map(async (one) => (await stateOf(one))?.pending ?? NaN))
    // Where other files keep transactions open, it begins before what this file wrote last.
    const before = await counts()
    await record('one')
    await record('two')
    await world.store.audit.record({ type: 'webhook.failing', data: {} })
    const more = (await counts()).map((count, index) => count - (before[index] ?? NaN))
    expect(more).toEqual([2, 3, 3, 0])
    expect(await stateOf(['leak.reported'])).toMatchObject({
      known: true,
      pendingOrMore: false,
      oldestPendingAt: expect.any(Date),
    })
    let end = claimed.position
    await until(async () => {
      const next = await world.store.webhooks.next(claimed, 1000)
      end = next.end
      return next.events.some(({ type }) => type === 'webhook.failing')
    })
    await world.store.webhooks.advance(claimed, end)
    expect(await stateOf(['leak.reported'])).toMatchObject({ pending: 0, oldestPendingAt: null })
  })

  test('a failure shows with its reason and the next attempt, and since when it is failing', async () => {
    const claimed = await claim()
    const failure = { note: 'timed_out', delaySeconds: 60 } as const
    await world.store.webhooks.postpone(claimed, { ...failure, failing: false })
    expect(await stateOf(['*'])).toMatchObject({
      failures: 1,
      failingSince: null,
      note: 'timed_out',
      nextAttemptAt: expect.any(Date),
    })
    await world.store.webhooks.postpone(claimed, { ...failure, failing: true })
    expect(await stateOf(['*'])).toMatchObject({ failures: 2, failingSince: expect.any(Date) })
  })
})
