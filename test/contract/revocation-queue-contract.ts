import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'

import { MayflyError } from '@mayfly/core'
import {
  makeRevocationQueue,
  startRevocationWorker,
  type ConnectedRevocationQueue,
  type QueueLocation,
  type RevocationWorker,
  type RevocationWorkerOptions,
} from '@mayfly/queue'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'

import { until } from '../support/until.ts'

export interface QueueServer {
  /** Where clients find the server, and lose it in between. */
  readonly location: QueueLocation
  sever(): Promise<void>
  restore(): Promise<void>
  /** Everything that the server holds, as text. */
  dump(): Promise<string>
  stop(): Promise<void>
}

interface Ring {
  readonly leaseId: string
  readonly at: number
}

/** What every place for the revocation queue promises. */
export function describeRevocationQueue(name: string, open: () => Promise<QueueServer>): void {
  describe(`the revocation queue on ${name}`, () => {
    let server: QueueServer
    let location: QueueLocation
    let count = 0
    let queue: ConnectedRevocationQueue
    let workers: RevocationWorker[]
    let rings: Ring[]
    let errors: { error: unknown; leaseId: string | undefined }[]

    beforeAll(async () => {
      server = await open()
    })
    afterAll(async () => {
      await server.stop()
    })
    beforeEach(async () => {
      count += 1
      location = { ...server.location, queueName: `contract-${String(count)}` }
      queue = makeRevocationQueue(location)
      workers = []
      rings = []
      errors = []
      await queue.waitUntilReady()
    })
    afterEach(async () => {
      await Promise.all(workers.map((worker) => worker.stop()))
      await queue.close()
    })

    async function listen(more: Partial<RevocationWorkerOptions> = {}): Promise<RevocationWorker> {
      const worker = await startRevocationWorker({
        ...location,
        concurrency: 4,
        stopGraceMs: 5_000,
        process: (leaseId) => Promise.resolve(void rings.push({ leaseId, at: Date.now() })),
        onError: (error, leaseId) => errors.push({ error, leaseId }),
        ...more,
      })
      workers.push(worker)
      return worker
    }

    const rung = (): string[] => rings.map(({ leaseId }) => leaseId).sort()

    test('an alarm rings at its time and not before', async () => {
      await listen()
      const at = new Date(Date.now() + 700)
      await queue.schedule('lea_1', at)
      expect(await queue.depth()).toEqual({ delayed: 1, waiting: 0, active: 0 })
      await until(() => rings.length > 0)
      expect(rung()).toEqual(['lea_1'])
      expect(rings[0]?.at).toBeGreaterThanOrEqual(at.getTime())
    })

    test('an alarm for a time that has passed rings at once', async () => {
      await listen()
      await queue.schedule('lea_1', new Date(0))
      await until(() => rings.length > 0)
      expect(rung()).toEqual(['lea_1'])
    })

    test('one lease can have alarms at several times', async () => {
      await listen()
      const now = Date.now()
      await queue.schedule('lea_1', new Date(now + 600))
      await queue.schedule('lea_1', new Date(now + 300))
      await queue.schedule('lea_1', new Date(now))
      await until(() => rings.length === 3)
      expect(rung()).toEqual(['lea_1', 'lea_1', 'lea_1'])
    })

    test('the same alarm set twice is one alarm, and can be set again once it has rung', async () => {
      const at = new Date(Date.now() + 200)
      await queue.schedule('lea_1', at)
      await queue.schedule('lea_1', at)
      expect(await queue.depth()).toEqual({ delayed: 1, waiting: 0, active: 0 })
      await listen()
      await until(() => rings.length === 1)
      await until(async () => total(await queue.depth()) === 0)
      await queue.schedule('lea_1', at)
      await until(() => rings.length === 2)
      expect(rung()).toEqual(['lea_1', 'lea_1'])
    })

    test('of many workers, one hears each alarm', async () => {
      await listen()
      await listen()
      const ids = Array.from({ length: 40 }, (_, index) => `lea_${String(index)}`).sort()
      await Promise.all(ids.map((id) => queue.schedule(id, new Date())))
      await until(() => rings.length >= ids.length)
      await until(async () => total(await queue.depth()) === 0)
      expect(rung()).toEqual(ids)
    })

    test('a crowd of alarms is set in full', async () => {
      const at = new Date(Date.now() + 3_600_000)
      const ids = Array.from({ length: 2_000 }, (_, index) => `lea_${String(index)}`)
      await Promise.all(ids.map((id) => queue.schedule(id, at)))
      expect(await queue.depth()).toEqual({ delayed: 2_000, waiting: 0, active: 0 })
    })

    test('an alarm survives the death of the broker that set it', async () => {
      const exit = await dieAfterScheduling(location, 'lea_1', new Date(Date.now() + 300))
      expect(exit).toBe('SIGKILL')
      await listen()
      await until(() => rings.length > 0)
      expect(rung()).toEqual(['lea_1'])
    })

    test('R91 an alarm that cannot be handled is reported and rings again, then leaves no trace', async () => {
      await listen({
        process: (leaseId) => {
          rings.push({ leaseId, at: Date.now() })
          return Promise.reject(new MayflyError('database_unavailable', 'away'))
        },
      })
      const at = new Date()
      await queue.schedule('lea_1', at)
      await until(async () => rings.length === 3 && total(await queue.depth()) === 0)
      expect(errors.map(({ error, leaseId }) => [(error as MayflyError).code, leaseId])).toEqual(
        Array.from({ length: 3 }, () => ['database_unavailable', 'lea_1']),
      )
      await queue.schedule('lea_1', at)
      await until(() => rings.length > 3)
    })

    test('R90 R118 a job holds the lease id and nothing else, even after a failure', async () => {
      await listen({
        process: (leaseId) => {
          rings.push({ leaseId, at: Date.now() })
          const error = new Error('canary-in-message', { cause: new Error('canary-in-cause') })
          return Promise.reject(error)
        },
      })
      await queue.schedule('lea_failing', new Date())
      await queue.schedule('lea_waiting', new Date(Date.now() + 3_600_000))
      await until(() => errors.length > 0)
      const stored = await server.dump()
      expect(stored).toMatch(/\{"leaseId": ?"lea_waiting"\}/)
      expect(stored).not.toContain('canary')
    })

    test('a stopping worker takes nothing new and lets the running revocation finish', async () => {
      const diary: string[] = []
      const finish = gate()
      const worker = await listen({
        concurrency: 1,
        process: async (leaseId) => {
          diary.push(`start ${leaseId}`)
          await finish.opened
          diary.push(`end ${leaseId}`)
        },
      })
      await queue.schedule('lea_1', new Date())
      await until(() => diary.length === 1)
      await queue.schedule('lea_2', new Date())
      const stopped = worker.stop().then(() => diary.push('stopped'))
      finish.open()
      await stopped
      expect(diary).toEqual(['start lea_1', 'end lea_1', 'stopped'])
      expect(await queue.depth()).toEqual({ delayed: 0, waiting: 1, active: 0 })
    })

    test('a revocation that outlasts the grace is aborted, and rings at another worker', async () => {
      const worker = await listen({
        stopGraceMs: 200,
        process: (leaseId, signal) => {
          rings.push({ leaseId, at: Date.now() })
          return new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              reject(new Error('aborted'))
            })
          })
        },
      })
      await queue.schedule('lea_1', new Date())
      await until(() => rings.length === 1)
      expect(await millisecondsOf(worker.stop())).toBeLessThan(3_000)
      await listen()
      await until(() => rings.length === 2)
    })

    test('R90 a lost server makes scheduling fail within two seconds, and work again afterwards', async () => {
      await listen()
      await queue.schedule('lea_before', new Date())
      await until(() => rings.length === 1)
      await server.sever()
      try {
        for (const leaseId of ['lea_lost_1', 'lea_lost_2', 'lea_lost_3']) {
          const started = performance.now()
          await expect(queue.schedule(leaseId, new Date())).rejects.toMatchObject({
            name: 'MayflyError',
            code: 'database_unavailable',
            retryable: true,
          })
          expect(performance.now() - started).toBeLessThan(2_000)
        }
        await until(() => errors.length > 0)
      } finally {
        await server.restore()
      }
      await until(() => schedules(queue, 'lea_back'))
      await until(() => rings.some(({ leaseId }) => leaseId === 'lea_back'))
    })

    test('R90 queue and worker start without their server and find it when it comes', async () => {
      await server.sever()
      const early = makeRevocationQueue(location)
      try {
        await listen()
        expect(errors).toHaveLength(1)
        await expect(early.waitUntilReady()).rejects.toMatchObject({ code: 'database_unavailable' })
      } finally {
        await server.restore()
      }
      await until(() => schedules(early, 'lea_1'))
      await until(() => rings.length > 0)
      await early.close()
      expect(rung()).toEqual(['lea_1'])
    })

    test('a worker that never found its server stops at once', async () => {
      await server.sever()
      try {
        const worker = await listen()
        expect(await millisecondsOf(worker.stop())).toBeLessThan(2_000)
      } finally {
        await server.restore()
      }
    })
  })
}

function total(depth: { delayed: number; waiting: number; active: number }): number {
  return depth.delayed + depth.waiting + depth.active
}

async function schedules(queue: ConnectedRevocationQueue, leaseId: string): Promise<boolean> {
  return queue.schedule(leaseId, new Date()).then(
    () => true,
    () => false,
  )
}

async function millisecondsOf(work: Promise<void>): Promise<number> {
  const started = performance.now()
  await work
  return performance.now() - started
}

function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

async function dieAfterScheduling(
  location: QueueLocation,
  leaseId: string,
  at: Date,
): Promise<unknown> {
  const script = new URL('../support/schedule-and-die.ts', import.meta.url).pathname
  const node = ['--conditions=@mayfly/source', '--import', 'tsx', script]
  const child = spawn(
    process.execPath,
    [...node, JSON.stringify(location), leaseId, at.toISOString()],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
  return signal
}
