import { describe, expect, test } from '@jest/globals'
import {
  makeDeliverWebhook,
  type SendWebhook,
  type Webhook,
  type WebhookEvent,
  type WebhookOutbox,
} from '@mayfly/core'

const noon = new Date('2026-11-23T12:00:00.000Z')
const hook: Webhook = {
  kind: 'Webhook',
  name: 'soc',
  url: 'https://hooks.example/',
  events: ['lease.revoked', 'freeze.*'],
  secret: 'env:X',
}

const event = (seq: number, type: string): WebhookEvent => ({
  id: `evt_${String(seq)}`,
  type,
  at: noon,
  subject: null,
  agent: null,
  taskId: null,
  leaseId: null,
  decisionId: null,
  facts: {},
  position: { transactionId: '1', seq: String(seq) },
})

interface WorldOptions {
  readonly events?: readonly WebhookEvent[]
  readonly failures?: number
  readonly free?: boolean
  readonly keptUntil?: number
  readonly send?: SendWebhook
}

function world(options: WorldOptions = {}) {
  const { events = [], failures = 0, free = true, keptUntil = Infinity } = options
  const diary: string[] = []
  const outbox: WebhookOutbox = {
    claim: (name, visibilitySeconds) => {
      diary.push(`claim ${name}`)
      const position = { transactionId: '0', seq: '0' }
      return Promise.resolve(
        free ? { name, claim: 1, failures, visibilitySeconds, position } : null,
      )
    },
    next: (_claimed, limit) =>
      Promise.resolve({
        events: events.slice(0, limit),
        end: { transactionId: '9', seq: String(events.length < limit ? 0 : limit) },
      }),
    advance: (_claimed, { transactionId, seq }) => {
      diary.push(`at ${transactionId}/${seq}`)
      return Promise.resolve(Number(seq) <= keptUntil)
    },
    postpone: (_claimed, { note, delaySeconds, failing }) => {
      diary.push(`postpone ${String(delaySeconds)} s: ${note}${failing ? ', failing' : ''}`)
      return Promise.resolve()
    },
    release: () => {
      diary.push('release')
      return Promise.resolve()
    },
  }
  const deliver = makeDeliverWebhook({
    outbox,
    send: (webhook, sent, signal) => {
      diary.push(`send ${sent.id}`)
      return options.send?.(webhook, sent, signal) ?? Promise.resolve({ delivered: true })
    },
    retry: { baseSeconds: 2, capSeconds: 600, random: () => 0.5 },
    clock: { now: () => noon },
    failuresUntilFailing: 8,
    batchSize: 3,
    visibilitySeconds: 30,
  })
  return { diary, deliver }
}

const signal = (): AbortSignal => new AbortController().signal

describe('delivering to a webhook', () => {
  test('sends what it asked for, in order, and remembers each before the next', async () => {
    const { diary, deliver } = world({
      events: [event(1, 'lease.revoked'), event(2, 'task.opened')],
    })
    expect(await deliver(hook, signal())).toEqual({ more: false })
    expect(diary).toEqual(['claim soc', 'send evt_1', 'at 1/1', 'at 9/0', 'release'])
  })

  test('understands groups, everything, and no half of a name', async () => {
    const types = ['freeze.created', 'lease.revoked_twice', 'freezer.on', 'lease.revoked']
    const sentFor = async (names: readonly string[]): Promise<string[]> => {
      const sent: string[] = []
      for (const type of types) {
        const { diary, deliver } = world({ events: [event(1, type)] })
        await deliver({ ...hook, events: names }, signal())
        if (diary.includes('send evt_1')) sent.push(type)
      }
      return sent
    }
    expect(await sentFor(['freeze.*'])).toEqual(['freeze.created'])
    expect(await sentFor(['lease.revoked'])).toEqual(['lease.revoked'])
    expect(await sentFor(['*'])).toEqual(types)
  })

  test('stops at the first that is not received, and comes back to it', async () => {
    const events = [1, 2, 3].map((seq) => event(seq, 'lease.revoked'))
    const { diary, deliver } = world({
      events,
      send: (_webhook, { id }) =>
        Promise.resolve(
          id === 'evt_2' ? { delivered: false, note: 'receiver_failed' } : { delivered: true },
        ),
    })
    expect(await deliver(hook, signal())).toEqual({ more: false })
    expect(diary).toEqual([
      'claim soc',
      'send evt_1',
      'at 1/1',
      'send evt_2',
      'postpone 2 s: receiver_failed',
    ])
  })

  test('waits longer each time, up to a bound, and is then called failing', async () => {
    const postponed: (string | undefined)[] = []
    for (const failures of [0, 1, 6, 7, 20]) {
      const { diary, deliver } = world({
        events: [event(1, 'lease.revoked')],
        failures,
        send: () => Promise.resolve({ delivered: false, note: 'timed_out' }),
      })
      await deliver(hook, signal())
      postponed.push(diary.at(-1))
    }
    expect(postponed).toEqual([
      'postpone 2 s: timed_out',
      'postpone 4 s: timed_out',
      'postpone 128 s: timed_out',
      'postpone 256 s: timed_out, failing',
      'postpone 600 s: timed_out, failing',
    ])
  })

  test('asks again at once after a full batch', async () => {
    const events = [1, 2, 3, 4].map((seq) => event(seq, 'task.opened'))
    const { diary, deliver } = world({ events })
    expect(await deliver(hook, signal())).toEqual({ more: true })
    expect(diary).toEqual(['claim soc', 'at 9/3', 'release'])
  })

  test('leaves a webhook alone that another worker has, or takes over', async () => {
    const taken = world({ free: false, events: [event(1, 'lease.revoked')] })
    expect(await taken.deliver(hook, signal())).toEqual({ more: false })
    expect(taken.diary).toEqual(['claim soc'])

    const events = [1, 2].map((seq) => event(seq, 'lease.revoked'))
    const lost = world({ events, keptUntil: 0 })
    expect(await lost.deliver(hook, signal())).toEqual({ more: false })
    expect(lost.diary).toEqual(['claim soc', 'send evt_1', 'at 1/1'])
  })

  test('when it is stopped, blames nobody and goes no further', async () => {
    const cut = new AbortController()
    const { diary, deliver } = world({
      events: [1, 2].map((seq) => event(seq, 'lease.revoked')),
      send: () => {
        cut.abort()
        return Promise.resolve({ delivered: false, note: 'unreachable' })
      },
    })
    expect(await deliver(hook, cut.signal)).toEqual({ more: false })
    expect(diary).toEqual(['claim soc', 'send evt_1', 'release'])
  })
})
