import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { SecurityEvent } from '@mayfly/core'

import { eventIssuer as issuer } from '../../support/event-issuer.ts'
import { freshId, openTask, workloadToken } from '../../support/lease-fixtures.ts'
import { startStoreWorld, type StoreWorld } from '../../support/store-world.ts'

let world: StoreWorld
beforeAll(async () => {
  world = await startStoreWorld()
})
afterAll(() => world.close())

const noon = new Date('2026-11-23T12:00:00.000Z')
const at = (seconds: number): Date => new Date(noon.getTime() + seconds * 1000)

function riskEvent(more: Partial<SecurityEvent> = {}): SecurityEvent {
  return {
    issuer,
    jti: freshId('jti'),
    occurrence: { event: 'risk-level-change', currentLevel: 'HIGH' },
    subject: { format: 'email', email: 'dana@acme.example' },
    occurredAt: noon,
    acceptableUntil: new Date(Date.now() + 600_000),
    ...more,
  }
}

const audited = ({ issuer: { name }, jti }: SecurityEvent) =>
  world.sql('SELECT type, data FROM audit_events WHERE subject = $1 ORDER BY seq', [
    `${name}#${jti}`,
  ])

describe('a security event', () => {
  test('is recorded once, is unfinished until it had its effect, and finishes once', async () => {
    const { securityEvents } = world.store
    const event = riskEvent()
    const answers = await Promise.all([1, 2, 3, 4].map(() => securityEvents.receive(event)))
    expect(answers).toEqual(['unfinished', 'unfinished', 'unfinished', 'unfinished'])
    await securityEvents.finish(event, 'applied')
    await securityEvents.finish(event, 'none')
    expect(await securityEvents.receive(event)).toBe('finished')
    expect(await audited(event)).toEqual([
      {
        type: 'security_event.received',
        data: {
          transmitter: 'idp-events',
          event: 'risk-level-change',
          about: '{"email":"dana@acme.example","format":"email"}',
        },
      },
      {
        type: 'security_event.finished',
        data: { transmitter: 'idp-events', event: 'risk-level-change', outcome: 'applied' },
      },
    ])
  })

  test('of another transmitter with the same id is another event', async () => {
    const { securityEvents } = world.store
    const event = riskEvent()
    await securityEvents.receive(event)
    await securityEvents.finish(event, 'applied')
    const other = { ...event, issuer: { ...issuer, name: 'another' } }
    expect(await securityEvents.receive(other)).toBe('unfinished')
  })

  test('is superseded by what happened later, had its effect, and is about the same', async () => {
    const { securityEvents } = world.store
    const email = `${freshId('x')}@acme.example`
    const about = { subject: { format: 'email', email } } as const
    const newer = riskEvent({ ...about, occurredAt: at(60) })
    const event = riskEvent(about)
    const others = [
      riskEvent({ occurredAt: at(60) }),
      riskEvent({ ...about, occurredAt: at(-60) }),
      riskEvent({ ...about, occurredAt: at(60), issuer: { ...issuer, name: 'another' } }),
      riskEvent({ ...about, occurredAt: at(60), occurrence: { event: 'session-revoked' } }),
    ]
    for (const other of others) {
      await securityEvents.receive(other)
      await securityEvents.finish(other, 'applied')
    }
    await securityEvents.receive(newer)
    expect(await securityEvents.isSuperseded(event)).toBe(false)
    await securityEvents.finish(newer, 'released')
    expect(await securityEvents.isSuperseded(event)).toBe(true)
    expect(await securityEvents.isSuperseded({ ...event, occurredAt: at(60) })).toBe(false)
  })

  test('finds the freezes of its alarm, and no others', async () => {
    const { securityEvents, freezes } = world.store
    const email = `${freshId('x')}@acme.example`
    const alarm = riskEvent({ subject: { format: 'email', email } })
    await securityEvents.receive(alarm)
    const freeze = (createdBy: string) =>
      freezes.create({
        ...{ id: freshId('frz'), selector: { owner: email }, reason: 'r', createdBy },
        expiresAt: null,
      })
    const mine = await freeze(`idp-events#${alarm.jti}`)
    await freeze('people#dana')
    await freeze('idp-events#another')
    const allClear = { ...alarm, jti: freshId('jti') }
    expect(await securityEvents.freezes(allClear)).toEqual([mine.id])
    const device = { event: 'device-compliance-change', currentStatus: 'compliant' } as const
    expect(await securityEvents.freezes({ ...allClear, occurrence: device })).toEqual([])
    await freezes.lift(mine.id, { by: 'people#dana', reason: 'r' })
    expect(await securityEvents.freezes(allClear)).toEqual([])
  })

  test('finds the open tasks of a token', async () => {
    const { securityEvents, tasks } = world.store
    const token = workloadToken()
    const task = await openTask(tasks, { token })
    await openTask(tasks)
    const find = (issuers: readonly string[], tokenId: string) =>
      securityEvents.tasksOfToken(issuers, tokenId)
    expect(await find(['github-actions', 'gitlab'], token.tokenId)).toEqual([task.id])
    expect(await find(['gitlab'], token.tokenId)).toEqual([])
    expect(await find(['github-actions'], 'another')).toEqual([])
    await tasks.close(task.id, 'holder')
    expect(await find(['github-actions'], token.tokenId)).toEqual([])
  })

  test('is forgotten when it is too old to come again, unless its freeze is still there', async () => {
    const { securityEvents, freezes } = world.store
    const longAgo = new Date(Date.now() - 7_200_000)
    const [over, holding, fresh] = [
      riskEvent({ acceptableUntil: longAgo }),
      riskEvent({ acceptableUntil: longAgo }),
      riskEvent(),
    ]
    for (const event of [over, holding, fresh]) await securityEvents.receive(event)
    await freezes.create({
      ...{ id: freshId('frz'), selector: { agent: 'x' }, reason: 'r', expiresAt: null },
      createdBy: `idp-events#${holding.jti}`,
    })
    await world.store.prune()
    const rows = await world.sql('SELECT jti FROM security_events WHERE jti = ANY ($1)', [
      [over.jti, holding.jti, fresh.jti],
    ])
    expect(new Set(rows.map(({ jti }) => jti))).toEqual(new Set([holding.jti, fresh.jti]))
  })
})
