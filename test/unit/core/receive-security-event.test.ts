import { describe, expect, test } from '@jest/globals'
import {
  makeReceiveSecurityEvent,
  MayflyError,
  type Contain,
  type Issuer,
  type NewFreeze,
  type SecurityEvent,
  type SecurityOccurrence,
  type SecuritySubject,
} from '@mayfly/core'

import { eventIssuer as issuer } from '../../support/event-issuer.ts'
import { policySet } from '../broker/broker-world.ts'

const noon = new Date('2026-11-23T12:00:00.000Z')
const quarterPast = new Date('2026-11-23T12:15:00.000Z')

const ci: Issuer = { ...issuer, name: 'ci', tokenClass: 'workload', issuer: 'https://ci.example' }
const laptops: Issuer = {
  ...ci,
  name: 'laptops',
  type: 'spiffe',
  issuer: 'https://spire.example',
  trustDomain: 'acme.example',
}

const dana: SecuritySubject = { format: 'email', email: 'dana@acme.example' }

const event = (
  occurrence: SecurityOccurrence,
  subject: SecuritySubject | null = dana,
  more: Partial<SecurityEvent> = {},
): SecurityEvent => ({
  issuer,
  jti: 'j1',
  occurrence,
  subject,
  occurredAt: noon,
  acceptableUntil: quarterPast,
  ...more,
})

interface WorldOptions {
  readonly live?: boolean
  readonly finished?: boolean
  readonly superseded?: boolean
  readonly freezes?: readonly string[]
  readonly lift?: Error
  readonly contain?: Error
}

function world(options: WorldOptions = {}) {
  const diary: string[] = []
  const contained: Parameters<Contain>[0][] = []
  const frozen: NewFreeze[] = []
  const nothing = new MayflyError('selector_matches_nothing', 'nothing')
  const receive = makeReceiveSecurityEvent({
    events: {
      receive: ({ jti }) => {
        diary.push(`receive ${jti}`)
        return Promise.resolve(options.finished ? 'finished' : 'unfinished')
      },
      isSuperseded: () => Promise.resolve(options.superseded ?? false),
      freezes: () => Promise.resolve(options.freezes ?? []),
      finish: (_event, outcome) => {
        diary.push(`finish ${outcome}`)
        return Promise.resolve()
      },
      tasksOfToken: (issuers, tokenId) =>
        Promise.resolve(tokenId === 'used' ? issuers.map((name) => `tsk_${name}`) : []),
    },
    freezes: {
      create: (freeze) => {
        diary.push(`freeze ${JSON.stringify(freeze.selector)}`)
        frozen.push(freeze)
        return Promise.resolve({} as never) // nobody looks at it
      },
      lift: (id, { by, reason }) => {
        diary.push(`lift ${id} by ${by}: ${reason}`)
        return options.lift ? Promise.reject(options.lift) : Promise.resolve({} as never)
      },
    },
    contain: (input) => {
      diary.push(`contain ${JSON.stringify(input.selector)}`)
      if (options.contain) return Promise.reject(options.contain)
      if (!(options.live ?? true)) return Promise.reject(nothing)
      contained.push(input)
      return Promise.resolve({} as never)
    },
    policies: {
      current: () => ({
        ...policySet,
        issuers: [issuer, ci, laptops],
        owners: new Map([
          ['dana@acme.example', { kind: 'Owner', name: 'dana@acme.example', active: true }],
        ]),
      }),
    },
    clock: { now: () => noon },
    newId: (prefix) => `${prefix}_1`,
  })
  return { diary, contained, frozen, receive }
}

describe('R94 what follows from an event', () => {
  const STOP: SecurityOccurrence[] = [
    { event: 'session-revoked' },
    { event: 'credential-change', changeType: 'revoke' },
    { event: 'credential-change', changeType: 'delete' },
  ]
  test.each(STOP)('%j: what is live dies, and old task tokens mint no more', async (occurrence) => {
    const { receive, contained, frozen } = world()
    expect(await receive(event(occurrence))).toBe('applied')
    expect(contained).toEqual([
      {
        selector: { owner: 'dana@acme.example', environment: 'development' },
        reason: `${occurrence.event} from idp-events`,
        incident: `${occurrence.event} j1`,
        by: 'idp-events#j1',
        freezeUntil: quarterPast,
        idempotency: null,
      },
    ])
    expect(frozen).toEqual([])
  })

  const HOLD: SecurityOccurrence[] = [
    { event: 'risk-level-change', currentLevel: 'HIGH' },
    { event: 'device-compliance-change', currentStatus: 'not-compliant' },
  ]
  test.each(HOLD)('%j: besides, nothing is issued until it is over', async (occurrence) => {
    const live = world()
    expect(await live.receive(event(occurrence))).toBe('applied')
    expect(live.contained).toMatchObject([{ freezeUntil: null }])

    const idle = world({ live: false })
    expect(await idle.receive(event(occurrence))).toBe('applied')
    expect(idle.frozen).toEqual([
      {
        id: 'frz_1',
        selector: { owner: 'dana@acme.example', environment: 'development' },
        reason: `${occurrence.event} from idp-events`,
        createdBy: 'idp-events#j1',
        expiresAt: null,
      },
    ])
    const who = '{"owner":"dana@acme.example","environment":"development"}'
    expect(idle.diary).toEqual([
      'receive j1',
      `contain ${who}`,
      `freeze ${who}`,
      // Once more: something may have been minted in between.
      `contain ${who}`,
      'finish applied',
    ])
  })

  const RELEASE: SecurityOccurrence[] = [
    { event: 'risk-level-change', currentLevel: 'LOW' },
    { event: 'device-compliance-change', currentStatus: 'compliant' },
  ]
  test.each(RELEASE)('%j: lifts the freezes of that alarm', async (occurrence) => {
    const { receive, diary } = world({ freezes: ['frz_7', 'frz_8'] })
    expect(await receive(event(occurrence))).toBe('released')
    const reason = `${occurrence.event} from idp-events`
    expect(diary).toEqual([
      'receive j1',
      `lift frz_7 by idp-events#j1: ${reason}`,
      `lift frz_8 by idp-events#j1: ${reason}`,
      'finish released',
    ])
    expect(await world().receive(event(occurrence))).toBe('unmatched')
    const late = world({ freezes: ['frz_7'], lift: new MayflyError('freeze_over', 'over') })
    expect(await late.receive(event(occurrence))).toBe('released')
  })

  const NONE: SecurityOccurrence[] = [
    { event: 'credential-change', changeType: 'create' },
    { event: 'credential-change', changeType: 'update' },
    { event: 'risk-level-change', currentLevel: 'MEDIUM' },
    { event: 'verification' },
    { event: 'other' },
  ]
  test.each(NONE)('%j: nothing', async (occurrence) => {
    const { receive, diary } = world()
    expect(await receive(event(occurrence))).toBe('none')
    expect(diary).toEqual(['receive j1', 'finish none'])
  })
})

describe('R94 whom an event is about', () => {
  const revoked: SecurityOccurrence = { event: 'session-revoked' }
  const selected = async (subject: SecuritySubject): Promise<readonly unknown[]> => {
    const { receive, contained } = world()
    await receive(event(revoked, subject))
    return contained.map(({ selector }) => selector)
  }
  const environment = 'development'

  test.each<[SecuritySubject, object[]]>([
    [{ format: 'email', email: 'DANA@acme.example' }, [{ owner: 'dana@acme.example' }]],
    [{ format: 'email', email: 'gone@acme.example' }, [{ owner: 'gone@acme.example' }]],
    [{ format: 'iss_sub', iss: 'https://ci.example', sub: 'x' }, [{ subject: 'ci#x' }]],
    [
      { format: 'iss_sub', iss: 'spiffe://acme.example', sub: 'spiffe://acme.example/x' },
      [{ subject: 'laptops#spiffe://acme.example/x' }],
    ],
    [
      { format: 'iss_sub', iss: 'https://idp.example', sub: 'dana@acme.example' },
      [{ owner: 'dana@acme.example' }],
    ],
    [{ format: 'iss_sub', iss: 'https://idp.example', sub: 'nobody' }, []],
    [{ format: 'opaque', id: 'codex' }, [{ agent: 'codex' }, { owner: 'codex' }]],
    [{ format: 'jwt_id', iss: 'https://ci.example', jti: 'used' }, [{ task: 'tsk_ci' }]],
    [{ format: 'jwt_id', iss: 'https://ci.example', jti: 'unused' }, []],
    [{ format: 'jwt_id', iss: 'https://elsewhere.example', jti: 'used' }, []],
  ])('%j', async (subject, selectors) => {
    expect(await selected(subject)).toEqual(
      selectors.map((selector) => ({ ...selector, environment })),
    )
  })

  test('reaches no further than the environments that the transmitter is trusted for', async () => {
    const { receive, contained } = world()
    const wide = { ...issuer, environments: ['development', 'production'] }
    await receive(event(revoked, dana, { issuer: wide }))
    expect(contained.map(({ selector }) => selector.environment)).toEqual([
      'development',
      'production',
    ])
  })

  test('nobody here: says so, and freezes nobody', async () => {
    const { receive, frozen, diary } = world({ live: false })
    const stranger: SecuritySubject = { format: 'email', email: 'stranger@acme.example' }
    expect(await receive(event(revoked, stranger))).toBe('unmatched')
    expect(frozen).toEqual([])
    expect(diary.at(-1)).toBe('finish unmatched')
  })
})

describe('R94 once', () => {
  const high: SecurityOccurrence = { event: 'risk-level-change', currentLevel: 'HIGH' }

  test('a repetition has no second effect', async () => {
    const { receive, diary } = world({ finished: true })
    expect(await receive(event(high))).toBe('repeated')
    expect(diary).toEqual(['receive j1'])
  })

  test('one whose effect broke off is not finished, so that the next delivery acts', async () => {
    const { receive, diary } = world({
      contain: new MayflyError('database_unavailable', 'down', { retryable: true }),
    })
    await expect(receive(event(high))).rejects.toMatchObject({ code: 'database_unavailable' })
    expect(diary.some((entry) => entry.startsWith('finish'))).toBe(false)
  })

  test('what was overtaken by newer news neither freezes nor releases; a revoked session is over', async () => {
    const late = world({ superseded: true, freezes: ['frz_7'] })
    expect(await late.receive(event(high))).toBe('superseded')
    const low: SecurityOccurrence = { event: 'risk-level-change', currentLevel: 'LOW' }
    expect(await late.receive(event(low))).toBe('superseded')
    expect(late.contained).toEqual([])
    expect(late.diary.filter((entry) => entry.startsWith('lift'))).toEqual([])
    expect(await late.receive(event({ event: 'session-revoked' }))).toBe('applied')
  })
})
